/** What goes wrong on many keys of one function is told once a minute. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, LogLevel, TestClock } from "effect"
import { cached, MemoryBackend } from "effect-cached"
import { Said } from "../support/everythingSaid.js"

describe("a function whose computations or callbacks fail for every key", () => {
  const ids = Array.from({ length: 100 }, (_, id) => id)

  it.effect("is told once for the recomputations, with its error, and the next minute how many there were", () => {
    const said = new Said()
    return Effect.gen(function* () {
      let failing = false
      const price = cached((id: number) => (failing ? Effect.fail(`no price of ${id}`) : Effect.succeed(id)), {
        key: "price",
        ttl: "1 second",
        stale: "1 hour",
        lease: "1 second"
      })
      yield* Effect.forEach(ids, (id) => price(id))
      failing = true
      yield* TestClock.adjust("2 seconds")
      yield* Effect.forEach(ids, (id) => price(id))
      expect(said.warnings).toEqual(["Recomputing price(0) failed, its old value is served"])
      expect(said.quoting("Recomputing")).toHaveLength(1)
      expect(said.quoting("Recomputing")[0]).toContain("no price of 0")
      yield* TestClock.adjust("61 seconds")
      yield* Effect.forEach(ids, (id) => price(id))
      expect(said.warnings).toHaveLength(2)
      expect(said.warnings[1]).toContain("and 99 more")
    }).pipe(Effect.provide(MemoryBackend.layer()), Effect.provide(said.from(LogLevel.Warning)))
  })

  it.effect("is told once for a ttl that throws", () => {
    const said = new Said()
    return Effect.gen(function* () {
      const price = cached((id: number) => Effect.succeed(id), {
        key: "price",
        ttl: (value) => {
          throw new RangeError(`bad ${value}`)
        }
      })
      yield* Effect.forEach(ids, (id) => price(id))
      expect(said.warnings).toHaveLength(1)
      expect(said.quoting("RangeError")).toHaveLength(1)
    }).pipe(Effect.provide(MemoryBackend.layer()), Effect.provide(said.from(LogLevel.Warning)))
  })
})
