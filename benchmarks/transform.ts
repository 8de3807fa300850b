/**
 * Compression and encryption: what a value takes in the store, and what a set and a hit take, over a store in this process that
 * keeps bytes and takes no time. Rows of cities as JSON, of which 1, 10, 100 and 1,000 KB are a value.
 */
import { Console, Context, Effect, Layer, Redacted } from "effect"
import { ByteStore, CacheBackend, StoreBackend } from "effect-cached"
import * as Compression from "effect-cached/Compression"
import * as Encryption from "effect-cached/Encryption"
import { byteMap } from "../test/support/byteMap.js"
import { median } from "./tools/measure.js"

const city = (id: number) => ({
  id,
  slug: `city-${(id * 2_654_435_761) % 1_000_003}`,
  population: (id * 40_503) % 9_999_991,
  tags: ["capital", "harbour"].slice(0, id % 3),
  at: { latitude: ((id * 7_919) % 180_000) / 1_000 - 90, longitude: ((id * 104_729) % 360_000) / 1_000 - 180 }
})

const rows = (bytes: number) => Array.from({ length: Math.max(1, Math.round(bytes / 118)) }, (_, id) => city(id))

const gzip = StoreBackend.transform(Compression.gzip({ over: 0 }))
const aes = StoreBackend.transform(Encryption.aesGcm({ keys: [Redacted.make(new Uint8Array(32).fill(1))] }))

const subjects = {
  plain: (layer: Layer.Layer<CacheBackend, unknown>) => layer,
  gzip,
  "aes-256-gcm": aes,
  "gzip, aes-256-gcm": (layer: Layer.Layer<CacheBackend, unknown>) => layer.pipe(gzip, aes)
}

const rounds = 9

const cpuMicros = (): number => {
  const { system, user } = process.cpuUsage()
  return system + user
}

/** CPU microseconds a call, those of threads included: the median of some rounds. */
const timeOf = <A, E>(call: Effect.Effect<A, E>, calls: number): Effect.Effect<number, E> =>
  Effect.map(
    Effect.forEach(Array.from({ length: rounds + 2 }), () =>
      Effect.gen(function* () {
        const started = cpuMicros()
        for (let n = 0; n < calls; n++) yield* call
        return (cpuMicros() - started) / calls
      })
    ),
    // The first two rounds are the compiler's.
    (times) => median(times.slice(2))
  )

const measure = (name: keyof typeof subjects, bytes: number) =>
  Effect.gen(function* () {
    const { records, store } = byteMap()
    const base = StoreBackend.layer(Effect.succeed(ByteStore.toCacheStore(store)), { timeout: "1 minute" })
    const cache = Context.get(yield* Layer.build(subjects[name](base)), CacheBackend)
    const value = rows(bytes)
    const calls = Math.max(3, Math.round(200_000 / bytes))
    const set = yield* timeOf(cache.set("key", value, { ttl: "1 hour" }), calls)
    const hit = yield* timeOf(cache.get("key"), calls)
    const [record] = records.values()
    return { stored: record?.bytes.length ?? 0, set, hit }
  }).pipe(Effect.scoped)

const column = (value: number) => value.toFixed(0).padStart(10)

const program = Effect.gen(function* () {
  yield* Console.log(`${"".padEnd(28)}${["stored", "set µs", "hit µs"].map((title) => title.padStart(10)).join("")}`)
  for (const bytes of [1_000, 10_000, 100_000, 1_000_000]) {
    for (const name of ["plain", "gzip", "aes-256-gcm", "gzip, aes-256-gcm"] as const) {
      const { hit, set, stored } = yield* measure(name, bytes)
      const title = `${(bytes / 1_000).toLocaleString("en")} KB, ${name}`.padEnd(28)
      yield* Console.log(`${title}${[stored, set, hit].map(column).join("")}`)
    }
  }
})

await Effect.runPromise(program)
