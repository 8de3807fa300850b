/** Statements through `@effect/sql-libsql`, whose client opens a connection of its own for each transaction. */
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import { type Duration, Effect } from "effect"
import type { CacheError } from "../../../../CacheError.js"
import { fromSqlError, isBusy } from "../../sql/errors.js"
import { wallClock } from "../../sql/wallClock.js"
import type { OwnRunner, Runner } from "../runner.js"
import { waitForLock } from "../waitForLock.js"
import type { Driver } from "./driver.js"

/** Locks nothing. It fails where an earlier statement of somebody else stays in progress: see `Driver`. */
const checkBroken = "BEGIN; COMMIT"
const isInProgress = (cause: unknown): boolean =>
  cause instanceof Error && /statements in progress/i.test(cause.message)

/** Meets `SQLITE_BUSY` where a read would meet it. The read itself would leave the connection broken. */
const checkReadable = "BEGIN; SELECT 1 FROM sqlite_master LIMIT 1; COMMIT"

/** The file is only ever locked between two turns of the event loop, never across one. */
export const outsideTransaction = (driver: Driver, timeout: Duration.Duration): OwnRunner => {
  const [waitToRead, waitToWrite] = [waitForLock(timeout), waitForLock(timeout)]

  let last: Promise<unknown> = Promise.resolve()

  /**
   * One attempt after the other. What another would write between a read that met `SQLITE_BUSY` and the end of that connection
   * would leave the connection with a lock, which it keeps until it is garbage-collected.
   */
  const inOrder = <A>(work: () => Promise<A>): Promise<A> => {
    const done = last.then(work)
    last = done.catch(() => {})
    return done
  }

  /** Leaves the connection, and what is in progress on it, to the garbage collector. The client opens another. */
  const abandonConnection = async () => {
    const transaction = await driver.transaction("deferred")
    await transaction.rollback()
  }

  /**
   * In one promise, not in several effects: a caller who is interrupted must not leave the others on a broken connection. The
   * check comes first, because what is sent on a broken connection keeps its locks too.
   */
  const attempt = <A>(options: {
    readonly check: string
    readonly send: () => Promise<A>
    /** After which of its errors the driver leaves a statement in progress. */
    readonly breaks: (cause: unknown) => boolean
  }): Effect.Effect<A, CacheError> => {
    const abandonIf = (isBroken: (cause: unknown) => boolean) => async (cause: unknown) => {
      if (isInProgress(cause) || isBroken(cause)) await abandonConnection().catch(() => {})
      throw cause
    }
    const onOne = async () => {
      await driver.executeMultiple(options.check).catch(abandonIf(() => false))
      return options.send().catch(abandonIf(options.breaks))
    }
    return Effect.mapError(
      Effect.tryPromise({
        try: () => inOrder(onOne),
        catch: (cause) => new SqlError({ cause, message: "Failed to execute statement" })
      }),
      fromSqlError("store")
    )
  }

  const change = (text: string) =>
    waitToWrite(
      attempt({
        check: checkBroken,
        send: async () => {
          // in a transaction: if the connection breaks in between, this fails instead of staying uncommitted
          const done = driver.executeMultiple(`BEGIN IMMEDIATE;\n${text};\nCOMMIT`)
          const [, counted] = await Promise.all([done, driver.execute({ sql: "SELECT changes() AS n", args: [] })])
          return Number(Reflect.get(Object(counted.rows[0]), "n"))
        },
        breaks: () => false
      })
    )

  return {
    change,

    define: (statements) => Effect.asVoid(change(statements.join(";\n"))),

    rows: <A extends object>(text: string, parameters: ReadonlyArray<string>) =>
      waitToRead(
        attempt({
          check: checkReadable,
          send: async () => {
            const { rows } = await driver.execute({ sql: text, args: parameters })
            // the columns are those that the statement names
            return rows as ReadonlyArray<A>
          },
          breaks: (cause) => isBusy({ cause })
        })
      ),

    pause: Effect.withClock(Effect.sleep("1 millis"), wallClock)
  }
}

/** The transaction holds SQLite's lock already. */
export const insideTransaction = (connection: Connection, operation: string): Runner => {
  const rows = <A extends object>(
    text: string,
    parameters: ReadonlyArray<string>
  ): Effect.Effect<ReadonlyArray<A>, CacheError> =>
    Effect.mapError(connection.execute(text, parameters, undefined), fromSqlError(operation))
  return {
    change: (text) => Effect.map(rows(`${text} RETURNING 1`, []), (changed) => changed.length),
    rows,
    pause: Effect.void
  }
}
