/**
 * A hit on memcached, in one run with what others pay for it: `tsx benchmarks/memcached.ts`. The figures of a
 * machine mean little; the ratios to bare memjs, measured in turns with it, are what counts.
 */
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import KeyvMemcache from "@keyv/memcache"
import { Console, Duration, Effect, Runtime } from "effect"
import { CacheBackend, cached } from "effect-cached"
import { build } from "esbuild"
import Memcached from "memcached"
import { Client } from "memjs"
import * as MemcachedBackend from "../src/MemcachedBackend.js"
import { memcachedServers } from "../test/servers/memcached.js"

const value = { id: 4711, slug: "lisbon", name: "Lisboa", population: 517_802, tags: ["capital", "harbour"] }

/** Runs an operation over and over, in as many lanes as said. */
type Subject = readonly [name: string, run: (lanes: number, times: number) => Promise<unknown>]

const ofPromise =
  (operation: () => Promise<unknown>): Subject[1] =>
  (lanes, times) =>
    Promise.all(
      Array.from({ length: lanes }, async () => {
        for (let time = 0; time < times; time++) await operation()
      })
    )

const inLanes = (operation: Effect.Effect<unknown, unknown, CacheBackend>, lanes: number, times: number) =>
  Effect.all(
    Array.from({ length: lanes }, () =>
      Effect.gen(function* () {
        for (let time = 0; time < times; time++) yield* operation
      })
    ),
    { concurrency: "unbounded", discard: true }
  )

const median = (numbers: ReadonlyArray<number>): number =>
  numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length / 2)] ?? 0

const warmUpMillis = 2_000

/**
 * Operations a second of each subject: the median of several rounds, in each of which every subject has its turn. No
 * garbage collection is forced in between: a full one throws away compiled code, and a short turn would measure how long
 * that takes to come back.
 */
const measure = (subjects: ReadonlyArray<Subject>, lanes: number, times: number, rounds: number) =>
  Effect.promise(async () => {
    const rates = subjects.map((): Array<number> => [])
    // The larger the program, the longer until all of it is compiled.
    for (const [, run] of subjects) {
      const started = performance.now()
      while (performance.now() - started < warmUpMillis) await run(lanes, Math.ceil(times / 4))
    }
    for (let round = 0; round < rounds; round++) {
      for (const [index, [, run]] of subjects.entries()) {
        const started = performance.now()
        await run(lanes, times)
        rates[index]?.push((lanes * times * 1000) / (performance.now() - started))
      }
    }
    return rates.map(median)
  })

const table = (title: string, subjects: ReadonlyArray<Subject>, rates: ReadonlyArray<number>): string => {
  const base = rates[0] ?? 1
  const rows = subjects.map(([name], index) => {
    const rate = rates[index] ?? 0
    return `  ${name.padEnd(44)}${Math.round(rate).toLocaleString("en").padStart(10)}/s ${(rate / base).toFixed(2).padStart(7)}`
  })
  return [title, ...rows].join("\n")
}

const prepared = Effect.gen(function* () {
  const address = yield* memcachedServers(1)
  const bare = yield* Effect.acquireRelease(
    Effect.sync(() => Client.create(address)),
    (client) => Effect.sync(() => client.close())
  )
  const peer = yield* Effect.acquireRelease(
    Effect.sync(() => new Memcached(address)),
    (client) => Effect.sync(() => client.end())
  )
  const keyv = yield* Effect.acquireRelease(
    Effect.sync(() => new KeyvMemcache(address)),
    ({ client }) => Effect.sync(() => client.close())
  )
  const text = JSON.stringify(value)
  const getPeer = () =>
    new Promise<unknown>((resolve, reject) => {
      peer.get("peer", (error, found) => (error ? reject(error) : resolve(found)))
    })
  const setPeer = () =>
    new Promise<void>((resolve, reject) => {
      peer.set("peer", value, 3600, (error) => (error ? reject(error) : resolve()))
    })
  yield* Effect.promise(async () => {
    await bare.set("bare", text, { expires: 3600 })
    await setPeer()
    await keyv.set("keyv", text, 3_600_000)
  })
  return { address, bare, peer: { get: getPeer, set: setPeer }, keyv, text }
})

const report = Effect.gen(function* () {
  const { address, bare, keyv, peer, text } = yield* prepared
  const plain = cached(() => Effect.succeed(value), { key: "plain", ttl: "1 hour" })
  const grouped = cached(() => Effect.succeed(value), { key: "grouped", ttl: "1 hour", groups: ["cities"] })
  return yield* Effect.gen(function* () {
    const cache = yield* CacheBackend
    const runtime = yield* Effect.runtime<CacheBackend>()
    const ofEffect =
      (operation: Effect.Effect<unknown, unknown, CacheBackend>): Subject[1] =>
      (lanes, times) =>
        Runtime.runPromise(runtime)(inLanes(operation, lanes, times))
    yield* cache.set("direct", value, { ttl: "1 hour" })
    const hits: ReadonlyArray<Subject> = [
      ["memjs, get: bytes", ofPromise(() => bare.get("bare"))],
      ["effect-cached, get", ofEffect(cache.get("direct"))],
      ["effect-cached, cached, hit", ofEffect(plain())],
      ["effect-cached, cached, hit with a group", ofEffect(grouped())],
      ["memcached, get: JSON", ofPromise(peer.get)],
      ["@keyv/memcache, get: bytes", ofPromise(() => keyv.get("keyv"))]
    ]
    const sets: ReadonlyArray<Subject> = [
      ["memjs, set: bytes", ofPromise(() => bare.set("bare", text, { expires: 3600 }))],
      ["effect-cached, set", ofEffect(cache.set("direct", value, { ttl: Duration.hours(1) }))],
      ["memcached, set: JSON", ofPromise(peer.set)],
      ["@keyv/memcache, set: bytes", ofPromise(() => keyv.set("keyv", text, 3_600_000))]
    ]
    const sections: Array<string> = []
    for (const [what, subjects] of [["hit", hits] as const, ["set", sets] as const]) {
      for (const [lanes, times] of [[1, 3_000] as const, [64, 300] as const]) {
        const rates = yield* measure(subjects, lanes, times, 9)
        sections.push(table(`${what}, ${lanes} at a time (ratio to memjs)`, subjects, rates))
      }
    }
    return sections.join("\n\n")
  }).pipe(Effect.provide(MemcachedBackend.layer({ servers: address, namespace: `benchmark-${process.pid}` })))
})

const isPlain = process.env["BENCHMARK_IS_PLAIN"] === "yes"
const root = fileURLToPath(new URL("..", import.meta.url))

/** What tsx makes of a function names it at every call, which costs more than a hit: plain JavaScript is measured. */
const runPlain = async (): Promise<void> => {
  const outfile = join(root, "node_modules", ".cache", "effect-cached", "memcached-benchmark.mjs")
  await build({
    entryPoints: [fileURLToPath(import.meta.url)],
    outfile,
    absWorkingDir: root,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    alias: { "effect-cached": join(root, "src/index.ts") },
    external: ["effect", "esbuild", "memjs", "memcached", "@keyv/memcache", "hashring", "lru-cache"]
  })
  spawnSync(process.execPath, ["--expose-gc", outfile], {
    stdio: "inherit",
    env: { ...process.env, BENCHMARK_IS_PLAIN: "yes" }
  })
}

/** Compiles itself and prints the report of a process of its own. */
export const benchmark: Effect.Effect<void, unknown> = Effect.tryPromise(runPlain)

if (isPlain) await Effect.runPromise(Effect.scoped(Effect.flatMap(report, Console.log)))
else if (process.argv[1] === fileURLToPath(import.meta.url)) await Effect.runPromise(benchmark)
