/** Removes keys from all servers concerned at once, and counts the records that lived. */
import { Effect, Either } from "effect"
import { exchange, prepareStandIn } from "./client/exchange.js"
import type { Pool } from "./client/Pool.js"
import type { Problem } from "./commands/Problem.js"
import { RemoveCommand } from "./commands/RemoveCommand.js"

export const remove = (pool: Pool, keys: ReadonlyArray<string>): Effect.Effect<number, Problem> =>
  Effect.suspend(() => {
    const removals = pool
      .split(keys, (key) => key)
      .map(({ elements, route }) =>
        Effect.zipRight(
          prepareStandIn(route),
          exchange(route, () => new RemoveCommand(route.primary, elements))
        )
      )
    const [only] = removals
    if (removals.length === 1 && only !== undefined) return only
    // Every server gets its deletions, also when another one fails.
    return Effect.flatMap(Effect.all(removals.map(Effect.either), { concurrency: "unbounded" }), (results) =>
      Effect.map(Either.all(results), (counts) => counts.reduce((sum, count) => sum + count, 0))
    )
  })
