/**
 * Which entries a full memory store drops. A hit counts as a use, though not every hit moves its entry to the front.
 */
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { cached, MemoryBackend } from "effect-cached"

const size = 1_000

const counted = () => {
  const state = { computed: 0 }
  const value = cached(
    (key: number) =>
      Effect.sync(() => {
        state.computed++
        return key
      }),
    { key: "value", ttl: "1 hour" }
  )
  return { state, value }
}

it.effect("a value that is hit now and then stays, however many others are stored", () =>
  Effect.gen(function* () {
    const { state, value } = counted()
    yield* value(0)
    for (let key = 1; key <= 5 * size; key++) {
      yield* value(key)
      if (key % (size / 4) === 0) yield* value(0)
    }
    expect(state.computed).toBe(5 * size + 1)
  }).pipe(Effect.provide(MemoryBackend.layer({ maxEntries: size })))
)

for (const maxEntries of [undefined, 1_000_000]) {
  it.effect(`the same where bytes are the bound, and ${maxEntries ?? 10_000} entries would be`, () =>
    Effect.gen(function* () {
      let computed = 0
      const text = cached((_key: number) => Effect.sync(() => "x".repeat(1_000 + 0 * ++computed)), {
        key: "text",
        ttl: "1 hour"
      })
      yield* text(0)
      for (let key = 1; key <= 1_000; key++) {
        yield* text(key)
        if (key % 10 === 0) yield* text(0)
      }
      expect(computed).toBe(1_001)
    }).pipe(
      Effect.provide(MemoryBackend.layer({ maxBytes: 100_000, ...(maxEntries === undefined ? {} : { maxEntries }) }))
    )
  )
}

it.effect("a value that is not hit any more is dropped", () =>
  Effect.gen(function* () {
    const { state, value } = counted()
    yield* value(0)
    yield* value(0)
    for (let key = 1; key <= size; key++) yield* value(key)
    state.computed = 0
    yield* value(size)
    expect(state.computed).toBe(0)
    yield* value(0)
    expect(state.computed).toBe(1)
  }).pipe(Effect.provide(MemoryBackend.layer({ maxEntries: size })))
)

it.effect("a small memory drops exactly the least recently used", () =>
  Effect.gen(function* () {
    const { state, value } = counted()
    for (const key of [1, 2, 3]) yield* value(key)
    for (let hit = 0; hit < 3; hit++) yield* value(1)
    yield* value(4)
    state.computed = 0
    for (const key of [1, 3, 4]) yield* value(key)
    expect(state.computed).toBe(0)
    yield* value(2)
    expect(state.computed).toBe(1)
  }).pipe(Effect.provide(MemoryBackend.layer({ maxEntries: 3 })))
)
