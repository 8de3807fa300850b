/** The name of the cache whose layer is being built, if it is one of several. `CacheBackend.layerOf` provides it to the layer. */
import { Context, Effect, Option } from "effect"

export class CacheName extends Context.Tag("effect-cached/CacheName")<CacheName, string>() {}

export const cacheName: Effect.Effect<string | undefined> = Effect.map(
  Effect.serviceOption(CacheName),
  Option.getOrUndefined
)

export const defaultNamespace = "default"

/** The namespace of a layer. That of a named cache is its name, so that two of them share nothing in one store. */
export const namespaceOf = (options: { readonly namespace?: string }): Effect.Effect<string> =>
  options.namespace === undefined
    ? Effect.map(cacheName, (name) => name ?? defaultNamespace)
    : Effect.succeed(options.namespace)
