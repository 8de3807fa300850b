/** Two processes, each with memory in front of the cache that they share, and a bus that tells each what the other invalidates. */
import { Console, Effect, Layer, Schedule } from "effect"
import { CacheBus, cached, MemoryBackend, TieredBackend } from "effect-cached"

let cents = 100
let queries = 0

const priceOf = cached(
  (_product: string) =>
    Effect.sync(() => {
      queries++
      return cents
    }),
  { key: "price", ttl: "1 hour" }
)

// In place of servers, so that this runs without any: RedisBackend.layer({ url }) and RedisBus.layer({ url }).
const shared = Layer.build(MemoryBackend.layer({ maxEntries: 100_000, copy: true }))
const listeners = new Set<(keys: ReadonlyArray<string> | "all") => void>()
const Bus = Layer.succeed(CacheBus, {
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
      // Signs of life: after 2 seconds without one a tier asks below.
      yield* Effect.forkScoped(
        Effect.repeat(
          Effect.sync(() => heard([])),
          Schedule.spaced("500 millis")
        )
      )
    })
})

const program = Effect.gen(function* () {
  const cache = yield* shared
  const Tier = TieredBackend.layer({ maxEntries: 10_000, maxStaleness: "200 millis" }).pipe(
    Layer.provide(Layer.succeedContext(cache)),
    Layer.provide(Bus)
  )
  const [one, other] = yield* Effect.all([Layer.build(Tier), Layer.build(Tier)])

  // One process computes, the other finds it in the shared cache.
  const before = yield* Effect.all([
    Effect.provide(priceOf("tea"), one),
    Effect.provide(priceOf("tea"), other),
    Effect.provide(priceOf("tea"), one)
  ])
  yield* Console.log(`prices ${before.join(", ")}: ${queries} query`)

  // The other process changes the price: the bus tells this one.
  cents = 90
  yield* Effect.provide(priceOf.invalidate("tea"), other)
  yield* Console.log(`told by the bus: ${yield* Effect.provide(priceOf("tea"), one)}`)

  // A program without the bus changes it: nobody tells, and nothing is older than `maxStaleness`.
  cents = 80
  yield* Effect.provide(priceOf.invalidate("tea"), cache)
  yield* Effect.sleep("200 millis")
  yield* Console.log(`told by nobody, after maxStaleness: ${yield* Effect.provide(priceOf("tea"), one)}`)
})

Effect.runPromise(Effect.scoped(program))
