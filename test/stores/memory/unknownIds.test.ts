/** Look-ups of ids that don't exist, by a function whose groups depend on the id. */
import { assert, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { CacheBackend, cached, MemoryBackend } from "effect-cached"

const realIds = 400

it.live("3,000 of them push out none of 400 entries where there is room for 500", () =>
  Effect.gen(function* () {
    let computed = 0
    const find = cached(
      (id: number) => Effect.sync(() => (id < realIds ? Option.some(++computed) : Option.none<number>())),
      { key: "find", groups: (id) => [`a:${id}`], ttl: "1 hour" }
    )
    for (let id = 0; id < realIds; id++) yield* find(id)
    for (let id = realIds; id < realIds + 3_000; id++) {
      yield* find(id)
      // Most of the real ones are in use, as in a busy program.
      yield* find(id % realIds)
    }
    for (let id = 0; id < realIds; id++) yield* find(id)
    assert.strictEqual(computed, realIds)
    const { entries } = yield* CacheBackend.pipe(Effect.flatMap((cache) => cache.stats))
    assert.deepStrictEqual(entries, Option.some(realIds))
  }).pipe(Effect.provide(MemoryBackend.layer({ maxEntries: 500 })))
)
