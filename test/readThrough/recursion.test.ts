/**
 * A memoized function may call itself. What that costs grows with the depth, not with its square, and no stack overflows.
 */
import { Session } from "node:inspector/promises"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FiberRef, Layer } from "effect"
import { type CachedFunction, cached, MemoryBackend } from "effect-cached"
import * as SqlBackend from "effect-cached/SqlBackend"
import { client, freshTable } from "../stores/postgres/support.js"
import { sized, whole } from "../support/size.js"

type Recursive = CachedFunction<[n: number], number, never, never>

/** The remainder keeps the number a whole one, however deep the recursion. */
const prime = 1_000_003

const fib = (concurrency: 1 | 2, seen: Effect.Effect<unknown> = Effect.void): Recursive => {
  const self: Recursive = cached(
    (n: number): Effect.Effect<number> =>
      n < 2
        ? Effect.as(seen, n)
        : // The caller provides the requirement; a recursive type can't express that.
          (Effect.map(
            Effect.all([self(n - 1), self(n - 2)], { concurrency }),
            ([a, b]) => (a + b) % prime
          ) as Effect.Effect<number>),
    { key: "fib" }
  )
  return self
}

const expected = (n: number): number => {
  let [a, b] = [0, 1]
  for (let index = 0; index < n; index++) [a, b] = [b, (a + b) % prime]
  return a
}

const memory = () => Layer.orDie(MemoryBackend.layer({ maxEntries: 100_000 }))

/** How often an effect calls that function of the library which it calls most. */
const mostCalls = async (effect: Effect.Effect<unknown>): Promise<number> => {
  const session = new Session()
  session.connect()
  try {
    await session.post("Profiler.enable")
    await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false })
    await Effect.runPromise(effect)
    const { result } = await session.post("Profiler.takePreciseCoverage")
    await session.post("Profiler.stopPreciseCoverage")
    return result
      .filter(({ url }) => url.includes("/src/internal/") && !url.includes("/node_modules/"))
      .flatMap(({ functions }) => functions)
      .flatMap(({ ranges }) => ranges)
      .reduce((most, { count }) => Math.max(most, count), 0)
  } finally {
    session.disconnect()
  }
}

describe("recursion through cached", () => {
  for (const concurrency of [1, 2] as const) {
    it(`calls nothing more than twice as often when it is twice as deep, ${concurrency} at once`, async () => {
      const calls = (n: number) => mostCalls(Effect.provide(fib(concurrency)(n), memory()))
      await calls(10)
      const [shallow, deep] = [await calls(400), await calls(800)]
      assert.isAbove(shallow, 400)
      assert.isBelow(deep / shallow, 2.2)
    })
  }

  it("does not carry along what all the callers before had in their fiber references", async () => {
    const reference = FiberRef.unsafeMake(0)
    let longest = 0
    const look = Effect.map(Effect.getFiberRefs, ({ locals }) => {
      for (const history of locals.values()) longest = Math.max(longest, history.length)
    })
    const deep: Recursive = cached(
      (n: number): Effect.Effect<number> =>
        n === 0
          ? Effect.as(look, 0)
          : // As above.
            (Effect.locally(deep(n - 1), reference, n) as Effect.Effect<number>),
      { key: "deep" }
    )
    await Effect.runPromise(Effect.provide(deep(1_000), memory()))
    assert.isBelow(longest, 40)
  })

  it("thousands deep in memory", async () => {
    const n = whole ? 10_000 : 3_000
    assert.strictEqual(await Effect.runPromise(Effect.provide(fib(1)(n), memory())), expected(n))
  })

  it("hundreds deep on PostgreSQL, and thousands", async () => {
    const n = sized(whole ? 1_000 : 300, 10_000)
    const layer = SqlBackend.layer({ table: freshTable(), timeout: "1 minute" }).pipe(
      Layer.provide(client({ connections: 10 }))
    )
    assert.strictEqual(await Effect.runPromise(Effect.provide(fib(1)(n), Layer.orDie(layer))), expected(n))
  })
})
