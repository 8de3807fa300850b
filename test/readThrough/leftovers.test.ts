/**
 * A value that is not stored leaves no entry in the store.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Option } from "effect"
import { cached } from "effect-cached"
import { engine } from "../../src/internal/memoized/engine.js"
import { memoryRig } from "../support/backend.js"
import { plain } from "../support/stores.js"

const endings: Record<string, Effect.Effect<unknown, string>> = {
  "a value that bypasses the cache": Effect.succeed(Option.none()),
  "an error": Effect.fail("down"),
  "a defect": Effect.die("broken"),
  "an interruption": Effect.interrupt
}

for (const [name, ending] of Object.entries(endings)) {
  it.scoped(`${name} leaves no entry`, () =>
    Effect.gen(function* () {
      const { provide, service, store } = yield* memoryRig
      const call = cached((_: number) => ending, { key: "call" })
      const numbers = Array.from({ length: 100 }, (_, n) => n)
      for (const n of numbers) yield* Effect.exit(provide(call(n)))
      const { keyspace: names } = service[engine]
      const records = yield* plain(store).read(numbers.map((n) => names.finish(call.cacheKey(n))))
      assert.isTrue(records.every((record) => record === undefined))
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(service.stats)))
    })
  )
}
