/** How statements reach the database file. Each client of SQLite does it in its own way. */
import type { Effect } from "effect"
import type { CacheError } from "../../../CacheError.js"

/** Runs statements whose values are literals. */
export interface Runner {
  /** Runs one that writes, and tells how many rows it changed. */
  readonly change: (text: string) => Effect.Effect<number, CacheError>
  readonly rows: <A extends object>(
    text: string,
    parameters: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<A>, CacheError>
  /** Between two of many statements: gives other fibers and other processes a turn. */
  readonly pause: Effect.Effect<void>
}

export interface OwnRunner extends Runner {
  /** Runs statements that create what may be there already. */
  readonly define: (statements: ReadonlyArray<string>) => Effect.Effect<void, CacheError>
}
