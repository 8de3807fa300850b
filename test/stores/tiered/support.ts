/** Buses that do what they like, and tiers over one store as several processes have them. */
import { Context, Effect, Layer, type Scope } from "effect"
import { CacheBackend, type CacheBackendService, CacheBus, type CacheBusService, TieredBackend } from "effect-cached"

type Keys = ReadonlyArray<string> | "all"

interface Subscriber {
  readonly heard: (keys: Keys) => void
  readonly lost: () => void
}

export interface Behaviour {
  /** Milliseconds until a message arrives. */
  readonly delay: () => number
  /** Whether a message gets lost without a word. */
  readonly drops: () => boolean
}

/** A bus within this process. `cut` loses all subscribers; they subscribe anew. */
export const unreliableBus = ({ delay, drops }: Behaviour) => {
  const subscribers = new Set<Subscriber>()
  const tell = (keys: Keys) => {
    for (const one of subscribers) {
      if (!drops()) setTimeout(() => subscribers.has(one) && one.heard(keys), delay())
    }
  }
  const signs = setInterval(() => tell([]), 200)
  signs.unref()
  const bus: CacheBusService = {
    publish: (keys) => Effect.sync(() => tell(keys)),
    subscribe: (heard, lost) =>
      Effect.asVoid(
        Effect.acquireRelease(
          Effect.sync(() => {
            const one = { heard, lost }
            subscribers.add(one)
            return one
          }),
          (one) => Effect.sync(() => subscribers.delete(one))
        )
      )
  }
  const cut = Effect.sync(() => {
    for (const one of [...subscribers]) {
      subscribers.delete(one)
      one.lost()
    }
  })
  return { bus, cut }
}

/** A tier of its own over the backend. */
export const tierOver = (
  below: Layer.Layer<CacheBackend, unknown>,
  options: TieredBackend.TieredBackendOptions,
  bus?: CacheBusService
): Effect.Effect<CacheBackendService, unknown, Scope.Scope> => {
  const layer = TieredBackend.layer(options).pipe(Layer.provide(Layer.fresh(below)))
  return Effect.map(
    Layer.build(Layer.fresh(bus === undefined ? layer : Layer.provide(layer, Layer.succeed(CacheBus, bus)))),
    (context) => Context.get(context, CacheBackend)
  )
}
