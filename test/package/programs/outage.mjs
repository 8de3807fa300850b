/** A store of one's own that is away: the circuit breaker opens, and each call computes. */
import { Effect, Layer, Logger } from "effect"
import { CacheError, cached, StoreBackend } from "effect-cached"

const away = Effect.fail(new CacheError({ reason: "Unavailable", operation: "store", description: "away" }))
const primitives = { read: () => away, write: () => away, add: () => away, replace: () => away, remove: () => away }
const store = { name: "away", location: "network", payloads: "references", ...primitives, clear: away }

let computed = 0
const count = cached(
  Effect.sync(() => ++computed),
  { key: "count" }
)

const Cache = StoreBackend.layer(Effect.succeed(store), { breaker: { failures: 1 } })
const silent = Logger.remove(Logger.defaultLogger)

process.stdout.write(
  String(await Effect.runPromise(Effect.provide(Effect.repeatN(count, 2), Layer.merge(Cache, silent))))
)
