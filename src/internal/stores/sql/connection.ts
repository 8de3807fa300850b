/** How a statement reaches the database: on the caller's transaction, or on a connection of its own. */
import { type SqlClient, TransactionConnection } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import { Clock, Context, type Duration, Effect, Exit, Fiber } from "effect"
import { CacheError } from "../../../CacheError.js"
import { ConnectionScope } from "./ConnectionScope.js"
import { codeOf, fromSqlError } from "./errors.js"
import { endGently, type Running } from "./Running.js"

/** A statement, under the name that it is prepared with. */
export interface Statement {
  readonly name: string
  readonly text: string
}

/** Runs one statement and gives its rows. */
export type Run = <A extends object>(
  statement: Statement,
  parameters: ReadonlyArray<unknown>
) => Effect.Effect<ReadonlyArray<A>, CacheError>

const prepared = ({ name, text }: Statement, plan: number): string =>
  // `@effect/sql-pg` hands this to the `query` of `pg`, which takes a named statement as well as a text
  ({ name: `${name}_${plan}`, text }) as unknown as string

// 26000 and 42P05: a pooler in between gives each statement another session. 0A000: the table was made anew.
const notPrepared = /^(26000|42P05|0A000)$/

/** In bytes, eight pages: reading all of a smaller table costs no more than the way through an index. */
const small = 64 * 1024
/** A table that has grown or shrunk by this factor wants other plans. */
const another = 4

/**
 * Prepares statements, which takes PostgreSQL a seventh of the time: planning them anew costs more than running them.
 * Where the way to the database does not allow it, that is found out once.
 */
export class Preparation {
  private plan = 0
  private plannedFor = small

  constructor(private enabled: boolean) {}

  ask<A extends object>(
    connection: Connection,
    statement: Statement,
    parameters: ReadonlyArray<unknown>
  ): Effect.Effect<ReadonlyArray<A>, SqlError> {
    return connection.execute(this.enabled ? prepared(statement, this.plan) : statement.text, parameters, undefined)
  }

  /** Once more without, if that was what failed. */
  orWithout<A>(attempt: Effect.Effect<A, CacheError>): Effect.Effect<A, CacheError> {
    return Effect.suspend(() => {
      // several may be under way when the first of them finds out
      const wasEnabled = this.enabled
      return Effect.catchAll(attempt, (error) => {
        if (!wasEnabled || !notPrepared.test(codeOf(error.cause))) return Effect.fail(error)
        this.enabled = false
        return attempt
      })
    })
  }

  /**
   * Tells the size of the table in bytes. A plan that was made while it had a page or none, as an unlogged one has after a
   * crash, reads all of it and is kept while it grows, until the server analyses it: statements get another name then.
   * A name stays with its session, and each is some 100 kB there, so there must be few.
   */
  sized(bytes: number): void {
    const size = Math.max(bytes, small)
    if (size < this.plannedFor * another && size > this.plannedFor / another) return
    this.plannedFor = size
    this.plan++
  }
}

/**
 * What the database takes, it takes in real time: a `TestClock` that is moved by an hour must not time out statements, nor
 * one that stands still keep the driver from giving one up.
 */
export const wallClock = Clock.make()

export const timedOut = () =>
  new CacheError({ reason: "Timeout", operation: "store", description: "the database did not answer in time" })

export const closed = () =>
  new CacheError({ reason: "Unavailable", operation: "store", description: "the layer of this cache is closed" })

/**
 * Gives a statement up after a time; a caller who leaves does so at once. What they leave behind has a moment to end by
 * itself, or is cancelled. Takes three fibers more, which batches spare.
 */
export const withTimeout =
  (run: Run, timeout: Duration.Duration, running: Running): Run =>
  <A extends object>(statement: Statement, parameters: ReadonlyArray<unknown>) =>
    Effect.suspend(() => {
      if (running.isClosed) return Effect.fail(closed())
      return Effect.flatMap(Effect.forkDaemon(Effect.interruptible(run<A>(statement, parameters))), (fiber) => {
        running.add(fiber)
        // also where the caller can't be interrupted, as in a flight's lease: it is the time limit that ends this
        return Effect.interruptible(Fiber.await(fiber)).pipe(
          Effect.onInterrupt(() => Effect.forkDaemon(endGently([fiber]))),
          // nobody but the end of the layer interrupts it
          Effect.flatMap((exit) => (Exit.isInterrupted(exit) ? Effect.fail(closed()) : exit))
        )
      })
    }).pipe(
      Effect.uninterruptible,
      Effect.timeoutFail({ duration: timeout, onTimeout: timedOut }),
      Effect.withClock(wallClock)
    )

/** Statements that are atomic by themselves, each on a connection of the pool. */
export const ownConnection =
  (sql: SqlClient, preparation: Preparation): Run =>
  <A extends object>(statement: Statement, parameters: ReadonlyArray<unknown>) =>
    preparation.orWithout(
      Effect.mapError(
        Effect.withFiberRuntime<ReadonlyArray<A>, SqlError>((fiber) => {
          const scope = new ConnectionScope(fiber.currentContext)
          // `reserve` would lose the connection of a fiber that is interrupted while it waits for one
          return Effect.uninterruptibleMask((restore) =>
            Effect.matchCauseEffect(
              scope.enter(
                Effect.flatMap(sql.reserve, (connection) =>
                  restore(preparation.ask<A>(connection, statement, parameters))
                )
              ),
              {
                onFailure: (cause) => scope.close(Exit.failCause(cause)),
                onSuccess: (rows) => scope.close(Exit.succeed(rows))
              }
            )
          )
        }),
        fromSqlError("store")
      )
    )

/**
 * One semaphore a transaction. Savepoints nest: a fiber that rolls back to its own one also undoes what another fiber of the
 * transaction did since, so they take turns. They are known by the connection alone, because several layers may use it.
 */
const turns = new WeakMap<Connection, Effect.Semaphore>()

const turnOn = (connection: Connection) => {
  const turn = turns.get(connection) ?? Effect.unsafeMakeSemaphore(1)
  turns.set(connection, turn)
  return turn.withPermits(1)
}

/**
 * Statements on the caller's transaction, inside a savepoint, so that one that fails takes nothing with it. They can't be
 * interrupted: the driver cancels through a second connection, and its signal may hit the transaction's next statement.
 * The savepoint is released at once, which `withTransaction` would leave to the commit: a transaction of a thousand cache
 * operations would nest a thousand deep.
 */
export const onTransaction =
  (preparation: Preparation) =>
  <A>(
    connection: Connection,
    operation: string,
    use: (run: Run) => Effect.Effect<A, CacheError>
  ): Effect.Effect<A, CacheError> => {
    const run: Run = (statement, parameters) =>
      Effect.mapError(preparation.ask(connection, statement, parameters), fromSqlError(operation))
    const control = (statement: string) =>
      Effect.mapError(connection.executeUnprepared(statement, [], undefined), fromSqlError(operation))
    return preparation
      .orWithout(
        Effect.zipRight(
          control("SAVEPOINT effect_cached"),
          Effect.flatMap(Effect.exit(Effect.suspend(() => use(run))), (exit) => {
            if (Exit.isSuccess(exit)) return Effect.as(control("RELEASE SAVEPOINT effect_cached"), exit.value)
            return control("ROLLBACK TO SAVEPOINT effect_cached").pipe(
              Effect.zipRight(control("RELEASE SAVEPOINT effect_cached")),
              // a connection that is gone fails here too; the first error says why
              Effect.ignore,
              Effect.zipRight(exit)
            )
          })
        )
      )
      .pipe(Effect.uninterruptible, turnOn(connection))
  }

/** One way where the calling fiber is inside `sql.withTransaction`, another where it is not. */
export const whereTransaction = <A>(options: {
  readonly inside: (connection: Connection) => Effect.Effect<A, CacheError>
  readonly outside: Effect.Effect<A, CacheError>
}): Effect.Effect<A, CacheError> =>
  Effect.withFiberRuntime((fiber) => {
    const transaction = Context.getOption(fiber.currentContext, TransactionConnection)
    return transaction._tag === "Some" ? options.inside(transaction.value[0]) : options.outside
  })
