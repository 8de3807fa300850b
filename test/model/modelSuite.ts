/**
 * Every backend must do what the model does, for all operations in any order. A failing sequence is shrunk to the operations that
 * matter.
 */
import { isDeepStrictEqual } from "node:util"
import { Effect, Exit, Layer, Scope } from "effect"
import type { CacheBackend } from "effect-cached"
import fc from "fast-check"
import { afterAll, beforeAll, describe, it } from "vitest"
import { type HandClock, handClock } from "../cluster/clocks.js"
import { Model } from "./model.js"
import { allKeys, allVersions, type Operation, operations } from "./operations.js"
import { perform } from "./perform.js"

/** At the end every key is read once. */
const lastLook: ReadonlyArray<Operation> = allVersions.map((version) => ({ _tag: "getMany", keys: allKeys, version }))

const agree = (sequence: ReadonlyArray<Operation>, clock: HandClock): Effect.Effect<void, Error, CacheBackend> =>
  Effect.gen(function* () {
    const model = new Model()
    yield* perform({ _tag: "clear" }, clock)
    for (const operation of [...sequence, ...lastLook]) {
      const real = yield* perform(operation, clock)
      const expected = model.perform(operation)
      if (!isDeepStrictEqual(real, expected)) {
        return yield* Effect.fail(
          new Error(`${operation._tag} gave ${fc.stringify(real)}, not ${fc.stringify(expected)}`)
        )
      }
    }
  })

export const modelSuite = (
  name: string,
  layer: () => Layer.Layer<CacheBackend, unknown>,
  { longest, numRuns }: { readonly numRuns: number; readonly longest: number }
): void => {
  describe(name, () => {
    const clock = handClock()
    const scope = Effect.runSync(Scope.make())
    let run: (effect: Effect.Effect<void, Error, CacheBackend>) => Promise<void>

    beforeAll(async () => {
      const context = await Effect.runPromise(Layer.buildWithScope(layer(), scope).pipe(Effect.withClock(clock.clock)))
      run = (effect) => Effect.runPromise(Effect.provide(effect, context).pipe(Effect.withClock(clock.clock)))
    })
    afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

    it(`does what the model does, ${numRuns} times`, () =>
      fc.assert(
        fc.asyncProperty(operations(longest), (sequence) => run(agree(sequence, clock))),
        { numRuns }
      ))
  })
}
