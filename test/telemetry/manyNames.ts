/** A program that memoizes effects without end, as one that makes them for each request does. It prints what that costs. */
import { Effect, Metric } from "effect"
import { cached, MemoryBackend } from "effect-cached"

const [, , form, count = ""] = process.argv
const definitions = Number(count)

const keyOf = (id: number) => (form === "array" ? (["city", id] as const) : `city:${id}`)

const collect = (): number => {
  // Twice: a WeakMap's values go one collection after its keys.
  globalThis.gc?.()
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

const use = (from: number, to: number) =>
  Effect.gen(function* () {
    for (let id = from; id < to; id++) yield* Effect.succeed(id).pipe(cached({ key: keyOf(id) }))
  })

const program = Effect.gen(function* () {
  // The first thousand names have metrics of their own, whatever comes after them.
  yield* use(0, 2_000)
  const before = yield* Effect.sync(collect)
  yield* use(2_000, 2_000 + definitions)
  const after = yield* Effect.sync(collect)
  const metrics = (yield* Metric.snapshot).filter(({ metricKey }) => metricKey.name.startsWith("effect_cached_"))
  const labels = new Set(
    metrics.flatMap(({ metricKey }) => metricKey.tags.filter(({ key }) => key === "key")).map(({ value }) => value)
  )
  process.stdout.write(
    `\n{"megabytes":${(after - before) / 2 ** 20},"labels":${labels.size},"metrics":${metrics.length}}\n`
  )
})

Effect.runFork(program.pipe(Effect.provide(MemoryBackend.layer({ maxEntries: 100 }))))
