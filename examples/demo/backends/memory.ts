import { Effect, Layer, Schedule } from "effect"
import { CacheBus, MemoryBackend } from "effect-cached"

type Heard = (keys: ReadonlyArray<string> | "all") => void

/** Between the tiers of this process. Twice a second it gives a sign of life. */
const bus = Layer.sync(CacheBus, () => {
  const listeners = new Set<Heard>()
  return {
    publish: (keys) =>
      Effect.sync(() => {
        for (const heard of listeners) heard(keys)
      }),
    subscribe: (heard) =>
      Effect.gen(function* () {
        yield* Effect.acquireRelease(
          Effect.sync(() => listeners.add(heard)),
          () => Effect.sync(() => listeners.delete(heard))
        )
        yield* Effect.forkScoped(
          Effect.repeat(
            Effect.sync(() => heard([])),
            Schedule.spaced("500 millis")
          )
        )
      })
  }
})

/** One memory and one bus, however often the layers are built: as several processes would share them. */
export const backend = Effect.all({
  layer: Effect.map(Layer.build(MemoryBackend.layer({ maxEntries: 50_000 })), Layer.succeedContext),
  bus: Effect.map(Layer.build(bus), Layer.succeedContext)
})
