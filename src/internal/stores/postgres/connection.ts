/** How a statement reaches PostgreSQL on a connection of the pool. */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import { Duration, Effect, Random } from "effect"
import type { CacheError } from "../../../CacheError.js"
import { scopedUninterruptible } from "../../runtime/scope.js"
import { codeOf, fromSqlError, isContention, isPoolTimeout, isSessionEnd } from "../sql/errors.js"
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

export interface PoolOptions {
  readonly sql: SqlClient
  readonly prepared: PreparedStatements
  /** The statements run in these, and tell them whether they wait for a connection. */
  readonly fibers: Pick<StatementFibers<CacheError>, "awaitsConnection" | "isSent">
  /** Why there was no connection. */
  readonly noConnection: Effect.Effect<CacheError>
}

/** Statements outside of transactions: each is atomic by itself. They run in fibers that can be interrupted. */
export const onPool = ({ fibers, noConnection, prepared, sql }: PoolOptions): Run => {
  const toCacheError = fromSqlError("store")

  /** A statement that another one was in the way of is sent again, until its time is over: see `isContention`. */
  const send = <A extends object>(
    connection: Connection,
    statement: Statement,
    parameters: ReadonlyArray<unknown>
  ): Effect.Effect<ReadonlyArray<A>, CacheError> => {
    const { isEnabled } = prepared
    return Effect.catchAll(prepared.execute<A>(connection, statement, parameters), (error) => {
      const again = Effect.suspend(() => send<A>(connection, statement, parameters))
      if (isContention(error)) return Effect.zipRight(moment, again)
      return prepared.isRefused(isEnabled, codeOf(error)) ? again : Effect.fail(toCacheError(error))
    })
  }

  const onConnection = <A extends object>(statement: Statement, parameters: ReadonlyArray<unknown>) =>
    // not interruptible: `reserve` would lose the connection of a fiber that is interrupted while it waits for one
    Effect.uninterruptible(
      scopedUninterruptible((fiber) => {
        fibers.awaitsConnection(fiber)
        return Effect.matchEffect(sql.reserve, {
          onFailure: (error) =>
            isPoolTimeout(error) ? Effect.flatMap(noConnection, Effect.fail) : Effect.fail(toCacheError(error)),
          onSuccess: (connection) => {
            fibers.isSent(fiber)
            return Effect.interruptible(send<A>(connection, statement, parameters))
          }
        })
      })
    )

  /** A session that ended while it was idle has not seen the statement: it is sent on another connection. */
  const run: Run = <A extends object>(statement: Statement, parameters: ReadonlyArray<unknown>) =>
    Effect.catchAll(onConnection<A>(statement, parameters), (error) =>
      isSessionEnd(error.cause) ? Effect.zipRight(moment, run<A>(statement, parameters)) : Effect.fail(error)
    )
  return run
}
