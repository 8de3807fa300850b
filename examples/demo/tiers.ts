/** A tier of this process and one as another process has it, over one cache; and a bus that can be cut. */
import { Context, Effect, Layer, MutableRef } from "effect"
import { CacheBus, type CacheBusService, TieredBackend } from "effect-cached"
import type { Backend } from "./backends.js"

/** Milliseconds. */
export const maxStaleness = 1_000

/** Cut as a network cuts it that swallows everything: nothing arrives any more, and nobody says so. */
const cuttable = (bus: CacheBusService) => {
  const isCut = MutableRef.make(false)
  const cut: CacheBusService = {
    publish: bus.publish,
    subscribe: (heard, lost) => bus.subscribe((keys) => (MutableRef.get(isCut) ? undefined : heard(keys)), lost)
  }
  return {
    service: cut,
    cut: Effect.sync(() => MutableRef.set(isCut, true)),
    mend: Effect.sync(() => MutableRef.set(isCut, false))
  }
}

export const make = (backend: Backend) =>
  Effect.gen(function* () {
    const { bus, layer } = backend
    const tier = TieredBackend.layer({ maxEntries: 50_000, maxStaleness }).pipe(Layer.provide(layer))
    const tierWith = (service: CacheBusService) => Layer.build(Layer.provide(tier, Layer.succeed(CacheBus, service)))
    const below = yield* Layer.build(layer)
    if (bus === undefined) {
      return { below, here: yield* Layer.build(tier), there: yield* Layer.build(tier), bus: undefined }
    }
    const ours = cuttable(Context.get(yield* Layer.build(bus), CacheBus))
    const theirs = Context.get(yield* Layer.build(bus), CacheBus)
    return { below, here: yield* tierWith(ours.service), there: yield* tierWith(theirs), bus: ours }
  })

export type Tiers = Effect.Effect.Success<ReturnType<typeof make>>
