import { AsyncLocalStorage } from "node:async_hooks"
import { Effect, Runtime } from "effect"
import { type CacheBackend, cached, getOrSet } from "effect-cached"
import { expect } from "vitest"
import type { It } from "./ground.js"

const storage = new AsyncLocalStorage<string>()

/** As a server does that answers several requests at once, each in an async context of its own. */
const requests = <A, E>(names: ReadonlyArray<string>, answer: (name: string) => Effect.Effect<A, E, CacheBackend>) =>
  Effect.flatMap(Effect.runtime<CacheBackend>(), (runtime) =>
    Effect.promise(() =>
      Promise.all(names.map((name) => storage.run(name, () => Runtime.runPromise(runtime)(answer(name)))))
    )
  )

export const asyncContextTests = (it: It): void => {
  const names = Array.from({ length: 9 }, (_, n) => `request ${n}`)
  const seen = Effect.sync(() => storage.getStore())

  it.effect("a computation begins in the AsyncLocalStorage context of the call that started it", () =>
    Effect.gen(function* () {
      const value = cached((_: string) => seen, { key: "async", groups: (name) => [name] })
      expect(yield* requests(names, (name) => value(name))).toEqual(names)
      // All of them hits.
      expect(yield* requests(names, (name) => value(name))).toEqual(names)
      expect(yield* requests(names, (name) => value.forceRecalc(name))).toEqual(names)
      expect(yield* requests(names, (name) => getOrSet(["async", name], seen))).toEqual(names)
    })
  )

  it.effect("one that is shared begins in the context of one of its callers", () =>
    Effect.gen(function* () {
      const value = cached(seen, { key: "async of all" })
      const answers = yield* requests(names, () => value)
      expect(new Set(answers).size).toBe(1)
      expect(names).toContain(answers[0])
    })
  )
}
