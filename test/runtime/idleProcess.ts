/** A program that uses a cache and neither disposes of it nor ends the process. */
import { Effect, ManagedRuntime } from "effect"
import { CacheError, get, MemoryBackend, StoreBackend, set } from "effect-cached"

const away = Effect.fail(new CacheError({ reason: "Unavailable", operation: "any", description: "switched off" }))

const layers = {
  memory: MemoryBackend.layer(),
  "a store that is away": StoreBackend.layer(
    Effect.succeed({
      name: "away",
      location: "network",
      payloads: "bytes",
      read: () => away,
      write: () => away,
      add: () => away,
      replace: () => away,
      remove: () => away,
      clear: away
    }),
    { breaker: { failures: 1, retryAfter: "50 millis" } }
  )
}

const layer = layers[process.argv[2] === "memory" ? "memory" : "a store that is away"]
const program = Effect.zipRight(set("key", 1), get("key"))
ManagedRuntime.make(layer)
  .runPromiseExit(program)
  .then((exit) => process.stdout.write(exit._tag))
