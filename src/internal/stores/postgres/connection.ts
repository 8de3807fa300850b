/** How a statement reaches PostgreSQL on a connection of the pool. */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Duration, Effect, Random } from "effect"
import type { CacheError } from "../../../CacheError.js"
import { withFiber } from "../../runtime/fiber.js"
import { scopedUninterruptible } from "../../runtime/scope.js"
import { fromSqlError, isContention, isPoolTimeout } from "../sql/errors.js"
import type { StatementFibers } from "../sql/StatementFibers.js"
import { wallClock } from "../sql/wallClock.js"
import type { PreparedStatements } from "./PreparedStatements.js"
import type { Statement } from "./statements/named.js"

/** Runs one statement and gives its rows. */
export type Run = <A extends object>(
  statement: Statement,
  parameters: ReadonlyArray<unknown>
) => Effect.Effect<ReadonlyArray<A>, CacheError>

/** At random, so that two which met do not meet again. */
const moment = Effect.flatMap(Random.nextRange(1, 20), (millis) => Effect.sleep(Duration.millis(millis))).pipe(
  Effect.withClock(wallClock)
)

/** A statement that another one was in the way of is sent again, until its time is over: see `isContention`. */
const untilAlone = <A>(statement: Effect.Effect<A, SqlError>): Effect.Effect<A, SqlError> =>
  Effect.catchIf(statement, isContention, () => Effect.zipRight(moment, untilAlone(statement)))

export interface PoolOptions {
  readonly sql: SqlClient
  readonly prepared: PreparedStatements
  /** The statements run in these, and tell them whether they wait for a connection. */
  readonly fibers: Pick<StatementFibers<CacheError>, "awaitsConnection" | "isSent">
  /** Why there was no connection. */
  readonly noConnection: Effect.Effect<CacheError>
}

/** Statements outside of transactions: each is atomic by itself. */
export const onPool = ({ fibers, noConnection, prepared, sql }: PoolOptions): Run => {
  const toCacheError = fromSqlError("store")
  const fail = (error: SqlError) =>
    isPoolTimeout(error) ? Effect.flatMap(noConnection, Effect.fail) : Effect.fail(toCacheError(error))

  return <A extends object>(statement: Statement, parameters: ReadonlyArray<unknown>) =>
    prepared.orUnprepared(
      Effect.catchAll(
        // not interruptible: `reserve` would lose the connection of a fiber that is interrupted while it waits for one
        Effect.uninterruptibleMask((restore) =>
          withFiber((fiber) => {
            fibers.awaitsConnection(fiber)
            return scopedUninterruptible(
              Effect.flatMap(sql.reserve, (connection) => {
                fibers.isSent(fiber)
                return restore(untilAlone(prepared.execute<A>(connection, statement, parameters)))
              })
            )
          })
        ),
        fail
      )
    )
}
