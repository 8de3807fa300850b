/**
 * The memory backend: what a hit costs beside Effect's own `Cache`, whether it stays flat, what a miss costs, and what
 * an entry weighs.
 */
import { Array as Arr, Cache, Console, Effect } from "effect"
import { CacheBackend, cached, MemoryBackend } from "effect-cached"
import { LRUCache } from "lru-cache"
import { figures } from "./tools/figures.js"
import { type Candidate, compare, cpuOf, type Figure, heapOf, median } from "./tools/measure.js"

type Key = number | string

interface Value {
  readonly id: Key
}

const lookUp = (key: Key): Effect.Effect<Value> => Effect.succeed({ id: key })

const memoize = (groups: ReadonlyArray<string>) => cached(lookUp, { key: "bench", ttl: "1 day", groups })

type Memoized = ReturnType<typeof memoize>

const numbers = (index: number): Key => index + 1

/** A text that is new in every call, as one that was parsed out of a request is. */
const texts = (index: number): Key => `city-${index}`

const calls = 50_000
const hotKeys = 1_000

type Order = (size: number) => Uint32Array

const uniform: Order = (size) => Uint32Array.from({ length: calls }, () => Math.floor(Math.random() * size))

/** Nine of ten calls go to the hot keys. */
const skewed: Order = (size) =>
  Uint32Array.from({ length: calls }, () => Math.floor(Math.random() * (Math.random() < 0.9 ? hotKeys : size)))

/** Through `setMany`, because a million computations are another matter. */
const fill = (memoized: Memoized, keyOf: (index: number) => Key, size: number, groups: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const cache = yield* CacheBackend
    for (let start = 0; start < size; start += 10_000) {
      const keys = Arr.makeBy(Math.min(10_000, size - start), (index) => keyOf(start + index))
      yield* cache.setMany(
        keys.map((key) => [memoized.cacheKey(key), { id: key }] as const),
        { ttl: "1 day", groups }
      )
    }
  })

const column = 23
const label = 24

const header = (names: ReadonlyArray<string>): string =>
  `\n${" ".repeat(label)}${names.map((name) => name.padStart(column)).join("")}`

const cells = (figures: ReadonlyArray<Figure>): string =>
  figures.map(({ nanos, ratio }) => `${nanos.toFixed(0)} (${ratio.toFixed(2)})`.padStart(column)).join("")

/** All candidates hold the same keys and are asked for them in the same order. */
const hits = (size: number, keyOf: (index: number) => Key, order: Uint32Array, groups: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const memoized = memoize(groups)
    yield* fill(memoized, keyOf, size, groups)
    const own = yield* Cache.make({ capacity: size, timeToLive: "1 day", lookup: lookUp })
    const lru = new LRUCache<Key, Value>({ max: size })
    for (let index = 0; index < size; index++) {
      const key = keyOf(index)
      yield* own.set(key, { id: key })
      lru.set(key, { id: key })
    }
    // Never out of the order's bounds: it has as many elements as a round has calls.
    const key = (n: number): Key => keyOf(order[n] ?? 0)
    const candidates: ReadonlyArray<Candidate<CacheBackend>> = [
      { name: "Cache.get", call: (n) => own.get(key(n)) },
      { name: "cached", call: (n) => memoized(key(n)) },
      { name: "Effect.succeed", call: (n) => Effect.succeed(key(n)) },
      { name: "lru-cache", plain: (n) => lru.get(key(n)) }
    ]
    const figures = yield* compare(candidates, { calls })
    const { hits, misses } = yield* Effect.flatMap(CacheBackend, (cache) => cache.stats)
    if (misses > 0 || hits < calls) return yield* Effect.dieMessage(`not all calls were hits: ${misses} misses`)
    return figures
  }).pipe(Effect.provide(MemoryBackend.layer({ maxEntries: size + 1 })))

const hitTable = Effect.gen(function* () {
  yield* Console.log("\nA hit in an Effect.gen loop: nanoseconds of CPU (ratio to Cache.get)")
  yield* Console.log(header(["Cache.get", "cached", "Effect.succeed", "lru-cache"]))
  const measured = figures<{ readonly keys: string; readonly size: number } & Figure>()
  for (const [name, keyOf, order, groups] of [
    ["numbers, uniform", numbers, uniform, []],
    ["numbers, 90% on 1,000", numbers, skewed, []],
    ["texts, uniform", texts, uniform, []],
    ["texts, 90% on 1,000", texts, skewed, []],
    ["numbers, uniform, in a group", numbers, uniform, ["bench"]]
  ] as const) {
    yield* Console.log(name)
    for (const size of [1_000, 10_000, 100_000, 1_000_000]) {
      const found = yield* hits(size, keyOf, order(size), groups)
      yield* Console.log(`${size.toLocaleString("en-US").padStart(12)} entries`.padEnd(label) + cells(found))
      yield* measured.add(...found.map((figure) => ({ keys: name, size, ...figure })))
    }
  }
})

const withMemory = Effect.provide(MemoryBackend.layer({ maxEntries: 200_000 }))

const besideCachedFunction = Effect.gen(function* () {
  const size = 1_000
  const order = uniform(size)
  const memoized = memoize([])
  const own = yield* Effect.cachedFunction(lookUp)
  const figures = yield* compare<CacheBackend>(
    [
      { name: "Effect.cachedFunction", call: (n) => own(order[n] ?? 0) },
      { name: "cached", call: (n) => memoized(order[n] ?? 0) }
    ],
    { calls: 5_000 }
  )
  yield* Console.log("\nA hit, 1,000 numbers: nanoseconds of CPU (ratio to Effect.cachedFunction)")
  yield* Console.log(header(figures.map(({ name }) => name)))
  yield* Console.log(" ".repeat(label) + cells(figures))
}).pipe(withMemory)

const coldMisses = Effect.gen(function* () {
  const own = yield* Cache.make({ capacity: 200_000, timeToLive: "1 day", lookup: lookUp })
  const plain = memoize([])
  const grouped = cached(lookUp, { key: "grouped", ttl: "1 day", groups: ["bench"] })
  let next = 0
  const figures = yield* compare<CacheBackend>(
    [
      { name: "Cache.get", call: () => own.get(++next) },
      { name: "cached", call: () => plain(++next) },
      { name: "cached, in a group", call: () => grouped(++next) }
    ],
    { calls: 2_000 }
  )
  yield* Console.log("\nA cold miss: nanoseconds of CPU (ratio to Cache.get)")
  yield* Console.log(header(figures.map(({ name }) => name)))
  yield* Console.log(" ".repeat(label) + cells(figures))
}).pipe(withMemory)

const callers = 10_000

const stampede = Effect.gen(function* () {
  let computations = 0
  const slow = (key: Key) =>
    Effect.as(
      Effect.zipRight(
        Effect.sync(() => computations++),
        Effect.sleep(5)
      ),
      key
    )
  const own = yield* Cache.make({ capacity: 1_000, timeToLive: "1 day", lookup: slow })
  const memoized = cached(slow, { key: "slow", ttl: "1 day" })
  const rounds = 9
  const crowd = <R>(call: (key: Key) => Effect.Effect<Key, never, R>) =>
    Effect.gen(function* () {
      const times: Array<number> = []
      for (let key = 0; key < rounds; key++) {
        times.push(yield* cpuOf(Effect.forEach(Arr.range(1, callers), () => call(key), { concurrency: "unbounded" })))
      }
      return median(times) / 1_000
    })
  const ownMillis = yield* crowd((key) => own.get(key))
  const ownComputations = computations
  const millis = yield* crowd(memoized)
  const count = callers.toLocaleString("en-US")
  yield* Console.log(`\n${count} concurrent callers of one cold key: milliseconds of CPU for all of them`)
  yield* Console.log(`  Cache.get  ${ownMillis.toFixed(0)}, computations a key: ${ownComputations / rounds}`)
  yield* Console.log(
    `  cached     ${millis.toFixed(0)} (${(millis / ownMillis).toFixed(2)}), computations a key: ${(computations - ownComputations) / rounds}`
  )
}).pipe(withMemory)

const weight = Effect.gen(function* () {
  const size = 100_000
  const key = (index: number): Key => index + 1
  const figures: Array<readonly [name: string, bytes: number]> = []
  const lru = new LRUCache<Key, Value>({ max: size })
  figures.push([
    "lru-cache",
    yield* heapOf(
      Effect.sync(() => {
        for (let index = 0; index < size; index++) lru.set(key(index), { id: index })
      })
    )
  ])
  const own = yield* Cache.make({ capacity: size, timeToLive: "1 day", lookup: lookUp })
  figures.push([
    "Cache",
    yield* heapOf(
      Effect.gen(function* () {
        for (let index = 0; index < size; index++) yield* own.set(key(index), { id: index })
      })
    )
  ])
  for (const groups of [[], ["bench"]]) {
    const name = groups.length === 0 ? "cached" : "cached, in a group"
    const memoized = memoize(groups)
    const cache = MemoryBackend.layer({ maxEntries: size + 1 })
    const filled = Effect.provide(heapOf(fill(memoized, key, size, groups)), cache)
    figures.push([name, yield* filled])
  }
  yield* Console.log("\nHeap of an entry { id } under a number, at 100,000 entries: bytes")
  for (const [name, bytes] of figures) yield* Console.log(`  ${name.padEnd(20)} ${(bytes / size).toFixed(0)}`)
})

const benchmark = Effect.gen(function* () {
  yield* hitTable
  yield* besideCachedFunction
  yield* coldMisses
  yield* stampede
  yield* weight
})

await Effect.runPromise(benchmark)
