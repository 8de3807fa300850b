/**
 * Prepares statements: planning one anew takes PostgreSQL several times as long as running it. Where something between here
 * and the database does not allow it, that is found out once.
 */
import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect } from "effect"
import type { CacheError } from "../../../CacheError.js"
import { codeOf } from "../sql/errors.js"
import type { Statement } from "./statements/named.js"

// 26000 and 42P05: a pooler in between gives each statement another session. 0A000: the table was made anew.
const notPrepared = /^(26000|42P05|0A000)$/

/** In bytes, eight pages: reading all of a smaller table costs no more than an index. */
const smallTable = 64 * 1024
/** The plans of a table that has grown or shrunk by this factor are outdated. */
const outdatedFactor = 4

const asText = (text: string): string => text
/** Every column comes as the server's text. The program's own parsers, those of `pg.types` and of the client, are not asked. */
const types = { getTypeParser: () => asText }

/**
 * What `pg` takes in place of a text, and `@effect/sql-pg` passes on to it.
 *
 * @param plan a number in the name of a prepared statement; not prepared without it
 */
export const queryOf = ({ name, text }: Statement, plan: number | undefined): string =>
  (plan === undefined ? { text, types } : { name: `${name}_${plan}`, text, types }) as unknown as string

export class PreparedStatements {
  private plan = 0
  private plannedFor = smallTable

  constructor(private enabled: boolean) {}

  /** Whether statements are prepared now. */
  get isEnabled(): boolean {
    return this.enabled
  }

  execute<A extends object>(
    connection: Connection,
    statement: Statement,
    parameters: ReadonlyArray<unknown>
  ): Effect.Effect<ReadonlyArray<A>, SqlError> {
    return connection.execute(queryOf(statement, this.enabled ? this.plan : undefined), parameters, undefined)
  }

  /**
   * Whether a statement failed only because it was prepared. Then no statement is prepared any more.
   *
   * @param wasEnabled when it was sent: several may be under way when the first of them finds out
   */
  isRefused(wasEnabled: boolean, code: string): boolean {
    if (!wasEnabled || !notPrepared.test(code)) return false
    this.enabled = false
    return true
  }

  /** Tries once more without prepared statements, if these were what failed. */
  orUnprepared<A>(attempt: Effect.Effect<A, CacheError>): Effect.Effect<A, CacheError> {
    return Effect.suspend(() => {
      const wasEnabled = this.enabled
      return Effect.catchAll(attempt, (error) =>
        this.isRefused(wasEnabled, codeOf(error.cause)) ? attempt : Effect.fail(error)
      )
    })
  }

  /**
   * Takes note of the table's size in bytes. A plan that was made while the table had a page or none, as an unlogged one has
   * after a crash, reads all of the table, and PostgreSQL keeps the plan while the table grows, until it analyses it. So
   * statements get new names when the size has changed much. A session keeps each name, some 100 kB, so there must be few.
   */
  tableSize(bytes: number): void {
    const size = Math.max(bytes, smallTable)
    if (size < this.plannedFor * outdatedFactor && size > this.plannedFor / outdatedFactor) return
    this.plannedFor = size
    this.plan++
  }
}
