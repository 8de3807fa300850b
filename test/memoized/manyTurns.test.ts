/** A load of thousands of keys in the memory of this process does not keep timers and sockets waiting until its end. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { cachedMany, MemoryBackend } from "effect-cached"
import { turnsDuring } from "../support/turns.js"

const load = (ids: ReadonlyArray<number>) => Effect.succeed(ids.map((id) => [id, id] as const))
const ids = Array.from({ length: 2_000 }, (_, id) => id)
const many = cachedMany(load, { key: "turns", ttl: "1 minute", batchSize: 2_000 })

/** 100 keys in a turn: 20 turns in which they begin, and 20 in which they are answered. */
const cases = [
  { what: "that a call loads", effect: Effect.asVoid(many(ids)), turns: 30 },
  { what: "that are loaded anew", effect: Effect.asVoid(many.forceRecalc(ids)), turns: 30 },
  {
    what: "that are asked for one by one",
    effect: Effect.forEach(ids, many.one, { concurrency: "unbounded", discard: true }),
    turns: 15
  }
]

describe("the event loop has its turns during a load of 2,000 keys in memory", () => {
  it.effect.each(cases)("$what", ({ effect, turns }) =>
    Effect.map(turnsDuring(effect), (seen) => assert.isAtLeast(seen, turns)).pipe(Effect.provide(MemoryBackend.layer()))
  )
})
