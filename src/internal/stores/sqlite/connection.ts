/** How a statement reaches the database file: on the caller's transaction, or on the client's other connection. */
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import { type Duration, Effect, Schedule } from "effect"
import type { CacheError } from "../../../CacheError.js"
import { onTransaction, Preparation, timedOut, wallClock } from "../sql/connection.js"
import { codeOf, fromSqlError } from "../sql/errors.js"
import type { Driver } from "./driver.js"

/** Runs statements whose values are literals. */
export interface Statements {
  /** Runs one that writes, and tells how many rows it changed. */
  readonly change: (text: string) => Effect.Effect<number, CacheError>
  readonly rows: <A extends object>(
    text: string,
    parameters: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<A>, CacheError>
  /** Between two of many statements: lets other fibers and other processes have their turn. */
  readonly pause: Effect.Effect<void>
}

const busy = /^SQLITE_(BUSY|LOCKED)/

const isBusy = (error: CacheError): boolean => busy.test(codeOf(error.cause))

/** Locks nothing, and fails where an earlier statement of someone else is in progress for ever: see `Driver`. */
const soundness = "BEGIN; COMMIT"
const isInProgress = (cause: unknown): boolean =>
  cause instanceof Error && /statements in progress/i.test(cause.message)

/** Meets `SQLITE_BUSY` where a read would, which itself would leave the connection broken. */
const readable = "BEGIN; SELECT 1 FROM sqlite_master LIMIT 1; COMMIT"

const waits = Schedule.exponential("1 millis", 1.5).pipe(
  Schedule.union(Schedule.spaced("20 millis")),
  Schedule.jittered
)

/**
 * Asks again while another connection holds the lock. One caller at a time, and who comes later joins the queue, so that
 * waiting costs little.
 */
const patience = (timeout: Duration.Duration) => {
  const gate = Effect.unsafeMakeSemaphore(1)
  let waiting = 0

  const inTurn = <A>(again: Effect.Effect<A, CacheError>): Effect.Effect<A, CacheError> =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        waiting++
      }),
      () =>
        gate
          .withPermits(1)(Effect.retry(again, { while: isBusy, schedule: waits }))
          .pipe(Effect.timeoutFail({ duration: timeout, onTimeout: timedOut }), Effect.withClock(wallClock)),
      () =>
        Effect.sync(() => {
          waiting--
        })
    )

  return <A>(attempt: Effect.Effect<A, CacheError>): Effect.Effect<A, CacheError> =>
    Effect.suspend(() => (waiting > 0 ? inTurn(attempt) : Effect.catchIf(attempt, isBusy, () => inTurn(attempt))))
}

/** Outside transactions. The database is only ever locked between two turns of the event loop, never across one. */
export const ownConnection = (driver: Driver, timeout: Duration.Duration): Statements => {
  const [readingInTurn, writingInTurn] = [patience(timeout), patience(timeout)]

  let last: Promise<unknown> = Promise.resolve()

  /**
   * Lets no other attempt come in between. What would be written after a read has met `SQLITE_BUSY`, and before its
   * connection is left, would leave that connection with a lock, which it then keeps until it is garbage-collected.
   */
  const inOrder = <A>(work: () => Promise<A>): Promise<A> => {
    const done = last.then(work)
    last = done.catch(() => {})
    return done
  }

  /** Leaves the connection, with what is in progress on it, to the garbage collector. */
  const leave = async () => {
    const transaction = await driver.transaction("deferred")
    await transaction.rollback()
  }

  /**
   * In one promise, not several effects: whoever is interrupted must not keep the others on a connection that is broken.
   * It is looked at first, because what is sent on a broken one keeps its locks as well.
   */
  const attempt = <A>(options: {
    readonly check: string
    readonly send: () => Promise<A>
    /** What the driver fails with where it leaves a statement in progress. */
    readonly breaks?: RegExp
  }): Effect.Effect<A, CacheError> => {
    const leaveIf = (isBroken: (cause: unknown) => boolean) => async (cause: unknown) => {
      if (isInProgress(cause) || isBroken(cause)) await leave().catch(() => {})
      throw cause
    }
    const onOne = async () => {
      await driver.executeMultiple(options.check).catch(leaveIf(() => false))
      return options.send().catch(leaveIf((cause) => options.breaks?.test(codeOf({ cause })) === true))
    }
    return Effect.mapError(
      Effect.tryPromise({
        try: () => inOrder(onOne),
        catch: (cause) => new SqlError({ cause, message: "Failed to execute statement" })
      }),
      fromSqlError("store")
    )
  }

  return {
    change: (text) => {
      const once = attempt({
        check: soundness,
        send: async () => {
          // in a transaction: should the connection have broken in between, this fails instead of being left uncommitted
          const done = driver.executeMultiple(`BEGIN IMMEDIATE;\n${text};\nCOMMIT`)
          const [, counted] = await Promise.all([done, driver.execute({ sql: "SELECT changes() AS n", args: [] })])
          return Number(Reflect.get(Object(counted.rows[0]), "n"))
        }
      })
      return writingInTurn(once)
    },

    rows: <A extends object>(text: string, parameters: ReadonlyArray<string>) => {
      const once = attempt({
        check: readable,
        send: async () => {
          const { rows } = await driver.execute({ sql: text, args: parameters })
          // the columns are those that the statement names
          return rows as ReadonlyArray<A>
        },
        breaks: busy
      })
      return readingInTurn(once)
    },

    pause: Effect.withClock(Effect.sleep("1 millis"), wallClock)
  }
}

const unprepared = new Preparation(false)

/** On the caller's transaction, which holds the lock already, in a savepoint. */
export const insideTransaction = <A>(
  connection: Connection,
  operation: string,
  use: (statements: Statements) => Effect.Effect<A, CacheError>
): Effect.Effect<A, CacheError> =>
  onTransaction(unprepared)(connection, operation, (run) =>
    use({
      change: (text) => Effect.map(run({ name: operation, text: `${text} RETURNING 1` }, []), (rows) => rows.length),
      rows: (text, parameters) => run({ name: operation, text }, parameters),
      pause: Effect.void
    })
  )
