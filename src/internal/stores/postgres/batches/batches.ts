/** What the batches of all primitives have in common. */
import type { CacheError } from "../../../../CacheError.js"
import { closed, type Run, timedOut } from "../../sql/connection.js"
import type { Running } from "../../sql/Running.js"
import type { Statements } from "../statements.js"

export interface BatchOptions {
  readonly statements: Statements
  /** Where the changes that concern the whole namespace stand. */
  readonly sharedKey: string
  /** Gives up after `timeout` by itself. */
  readonly run: Run
  /** Does not: for batches, which have a timer in common. */
  readonly direct: Run
  /** In milliseconds. */
  readonly timeout: number
  readonly running: Running
}

/** PostgreSQL keeps a bounded table of the advisory locks that a batch takes for its keys. */
export const maxKeys = 200

/** So many batches go without the short statement after one that it could not do: transactions are about. */
export const patience = 100

export const limits = (options: Pick<BatchOptions, "timeout" | "running">) => ({
  concurrency: 4,
  timeout: options.timeout,
  timedOut,
  closed,
  running: options.running
})

/** Errors of the connection concern every item alike; any other may be the fault of one, so each is tried alone. */
export const concernsAll = (error: CacheError) => error.reason === "Unavailable" || error.reason === "Timeout"

export const pages = <A>(items: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(items.length / maxKeys) }, (_, page) =>
    items.slice(page * maxKeys, (page + 1) * maxKeys)
  )
