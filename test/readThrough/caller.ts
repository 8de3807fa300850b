/**
 * One of several processes that call the same memoized function. It says `ready`, waits for the signal in the store, calls, and
 * reports what it was told, how long that took, and how often it computed itself.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import { Effect, Layer, Option, Redacted } from "effect"
import { CacheBackend, type CacheError, cached } from "effect-cached"
import * as MemcachedBackend from "effect-cached/MemcachedBackend"
import * as SqlBackend from "effect-cached/SqlBackend"
import { until } from "../support/until.js"

export type Place =
  | { readonly kind: "PostgreSQL"; readonly url: string; readonly table: string }
  | { readonly kind: "memcached"; readonly servers: string; readonly namespace: string }

export interface Task {
  readonly place: Place
  readonly ending: "None" | "error" | "too large" | "hangs in the background"
  /** How many processes call. */
  readonly callers: number
  /** Milliseconds that a computation takes at least. */
  readonly computing: number
  readonly maxLease: number
}

export interface Report {
  readonly told: string
  readonly took: number
  readonly computed: number
  /** When the last own computation began and ended, in milliseconds of the machine's clock. */
  readonly computing: readonly [number, number]
}

export const backendAt = (place: Place): Layer.Layer<CacheBackend, unknown> =>
  place.kind === "memcached"
    ? MemcachedBackend.layer({ servers: place.servers, namespace: place.namespace, timeout: "1 minute" })
    : SqlBackend.layer({ table: place.table, timeout: "1 minute" }).pipe(
        Layer.provide(PgClient.layer({ url: Redacted.make(place.url), maxConnections: 2 }))
      )

/** The time that a computation takes: so long that the others show what they do meanwhile, on a busy machine too. */
const enough = (cache: CacheBackend["Type"], { callers, computing, ending }: Task) =>
  Effect.gen(function* () {
    if (ending !== "hangs in the background") {
      const reached = (name: string, count: number) =>
        until(cache.get(name), (seen) => Number(Option.getOrElse(seen, () => 0)) >= count)
      const isFirst = (yield* cache.increment("computations")) === 1
      // The first one goes on until all have called, the others until three of them compute at once, if they ever do.
      yield* isFirst ? reached("calls", callers) : Effect.timeoutOption(reached("computations", 4), "5 seconds")
    }
    yield* Effect.sleep(computing)
  })

const program = (task: Task) =>
  Effect.gen(function* () {
    const { ending, maxLease } = task
    const cache = yield* CacheBackend
    let computed = 0
    let began = 0
    let ended = 0
    let hasValue = false
    const results: Record<Task["ending"], Effect.Effect<unknown, unknown>> = {
      None: Effect.succeed(Option.none()),
      error: Effect.fail("down"),
      // memcached takes a megabyte
      "too large": Effect.sync(() => "x".repeat(2_000_000)),
      // Of the refreshes the first one: a caller without a value would wait for it for ever, as it should.
      "hangs in the background": Effect.gen(function* () {
        const count = yield* cache.increment("computations")
        if (hasValue && (yield* cache.add("hung", count, { ttl: "1 hour" }))) yield* Effect.never
        return count
      })
    }
    const call = cached(
      Effect.suspend(() => {
        computed++
        began = Date.now()
        return Effect.ensuring(
          Effect.zipRight(enough(cache, task), results[ending]),
          Effect.sync(() => {
            ended = Date.now()
          })
        )
      }),
      ending === "hangs in the background"
        ? { key: "value", ttl: "100 millis", stale: "1 hour", lease: "1 second", maxLease, revalidate: "background" }
        : { key: "value", groups: ["group"] }
    )
    const told = Effect.map(Effect.either(call), (result) => {
      const text = String(result._tag === "Left" ? result.left : result.right)
      return text.length > 100 ? "much" : text
    })
    /** What is told once something newer is there than what the hung computation was to store. */
    const toldAtLast: Effect.Effect<string, CacheError, CacheBackend> = Effect.gen(function* () {
      const text = yield* told
      if (ending !== "hangs in the background") return text
      hasValue = true
      const hung = Option.getOrElse(yield* cache.get("hung"), () => Number.POSITIVE_INFINITY)
      return Number(text) > Number(hung) ? text : yield* Effect.delay(toldAtLast, 50)
    })
    process.stdout.write("ready\n")
    while (!(yield* cache.has("start"))) yield* Effect.sleep(5)
    yield* cache.increment("calls")
    const asked = performance.now()
    const report: Report = {
      told: yield* toldAtLast,
      took: performance.now() - asked,
      computed,
      computing: [began, ended]
    }
    process.stdout.write(`${JSON.stringify(report)}\n`)
  })

const [given] = process.argv.slice(2)
if (given?.startsWith("{")) {
  // The test that starts the processes has written it.
  const task = JSON.parse(given) as Task
  Effect.runPromise(Effect.provide(program(task), backendAt(task.place))).then(
    // A computation that never ends would keep the process.
    () => process.exit(0),
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`)
      process.exit(1)
    }
  )
}
