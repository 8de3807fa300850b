/** What the primitives share: the check of the keys, and failover. */
import { Effect } from "effect"
import type { CacheError } from "../../../CacheError.js"
import type { Pool } from "./client/Pool.js"
import { invalidKey, type Operation } from "./errors.js"
import { isKey } from "./protocol/request.js"

/** Runs an operation on the keys, none of which may harm the connection. */
export const checked = <A>(
  pool: Pool,
  operation: Operation,
  keys: ReadonlyArray<string>,
  run: Effect.Effect<A, CacheError>
): Effect.Effect<A, CacheError> => {
  const bad = keys.find((key) => !isKey(key))
  if (bad !== undefined) return Effect.fail(invalidKey(operation, bad))
  return pool.settings.failover ? againElsewhere(pool, keys, run) : run
}

/**
 * Runs the operation again when a server went down under it and another one stands in now. Not on the same server, where it may
 * have happened already.
 */
const againElsewhere = <A>(
  pool: Pool,
  keys: ReadonlyArray<string>,
  run: Effect.Effect<A, CacheError>
): Effect.Effect<A, CacheError> =>
  Effect.suspend(() => {
    const asked = keys.map((key) => pool.route(key).server)
    const hasMoved = () => keys.some((key, index) => pool.route(key).server !== asked[index])
    return Effect.catchIf(
      run,
      ({ reason }) => reason === "Unavailable" && hasMoved(),
      () => run
    )
  })
