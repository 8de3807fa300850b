/** How a statement reaches the database file: on the caller's transaction, or on the client's other connection. */
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import { type Duration, Effect, Schedule } from "effect"
import type { CacheError } from "../../CacheError.js"
import { onTransaction, Preparation, timedOut, wallClock } from "../connection.js"
import { codeOf, fromSqlError } from "../errors.js"
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

/** Meets `SQLITE_BUSY` where a read would. */
const readable = "SELECT 1 FROM sqlite_master LIMIT 1"

const waits = Schedule.exponential("1 millis", 1.5).pipe(
  Schedule.union(Schedule.spaced("20 millis")),
  Schedule.jittered
)

/** Outside transactions. The database is only ever locked between two turns of the event loop, never across one. */
export const ownConnection = (driver: Driver, timeout: Duration.Duration): Statements => {
  const gate = Effect.unsafeMakeSemaphore(1)

  /** Leaves the connection, with what is in progress on it, to the garbage collector. */
  const leave = async () => (await driver.transaction("deferred")).rollback()

  /**
   * In one promise, not several effects: whoever is interrupted must not keep the others on a connection that is broken.
   * It is looked at first, because what is sent on a broken one keeps its locks as well.
   */
  const attempt = <A>(send: () => Promise<A>, breaks: RegExp | undefined): Effect.Effect<A, CacheError> => {
    const recover = async (cause: unknown): Promise<never> => {
      if (isInProgress(cause) || breaks?.test(codeOf({ cause })) === true) await leave().catch(() => {})
      throw cause
    }
    return Effect.mapError(
      Effect.tryPromise({
        try: () => driver.executeMultiple(soundness).then(send).catch(recover),
        catch: (cause) => new SqlError({ cause, message: "Failed to execute statement" })
      }),
      fromSqlError("store")
    )
  }

  /** Asks again while another connection holds the lock: one caller at a time, so that waiting costs little. */
  const patiently = <A>(first: Effect.Effect<A, CacheError>, again: Effect.Effect<A, CacheError>) =>
    Effect.catchIf(first, isBusy, () =>
      gate
        .withPermits(1)(Effect.retry(again, { while: isBusy, schedule: waits }))
        .pipe(Effect.timeoutFail({ duration: timeout, onTimeout: timedOut }), Effect.withClock(wallClock))
    )

  return {
    change: (text) => {
      const once = attempt(async () => {
        // in a transaction: should the connection have broken in between, this fails instead of being left uncommitted
        const done = driver.executeMultiple(`BEGIN IMMEDIATE;\n${text};\nCOMMIT`)
        const [, counted] = await Promise.all([done, driver.execute({ sql: "SELECT changes() AS n", args: [] })])
        return Number(Reflect.get(Object(counted.rows[0]), "n"))
      }, undefined)
      return patiently(once, once)
    },

    rows: <A extends object>(text: string, parameters: ReadonlyArray<string>) => {
      const once = attempt(async () => {
        const { rows } = await driver.execute({ sql: text, args: parameters })
        // the columns are those that the statement names
        return rows as ReadonlyArray<A>
      }, busy)
      const free = attempt(() => driver.executeMultiple(readable), undefined)
      return patiently(once, Effect.zipRight(free, once))
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
