/** What `cache.cached` and `cache.cachedMany` will be. */
import { Effect, Option, type Schema } from "effect"
import { CacheBackend, type CacheBackendService, type CachedOptions, type CacheError, cached } from "effect-cached"

export const forNow = (cache: CacheBackendService) => {
  const give = Effect.provideService(CacheBackend, cache)
  const here = <Args extends ReadonlyArray<unknown>, A, E, R>(
    f: (...args: Args) => Effect.Effect<A, E, R>,
    // biome-ignore lint/suspicious/noExplicitAny: for now
    options: CachedOptions<NoInfer<A>, [Args][Args extends unknown ? 0 : never]> & { readonly schema?: Schema.Schema<A, any> }
  ) => {
    const c = cached(f as never, options as never) as never as ((...args: Args) => Effect.Effect<A, E, R | CacheBackend>) & {
      invalidate: (...args: Args) => Effect.Effect<void, CacheError, CacheBackend>
    }
    return Object.assign((...args: Args) => give(c(...args)) as Effect.Effect<A, E, Exclude<R, CacheBackend>>, {
      invalidate: (...args: Args) => give(c.invalidate(...args))
    })
  }
  return {
    ...cache,
    cached: here,
    cachedMany: <K, A, E, R>(
      load: (keys: ReadonlyArray<K>) => Effect.Effect<Iterable<readonly [K, A]>, E, R>,
      // biome-ignore lint/suspicious/noExplicitAny: for now
      { missing, schema, ...options }: CachedOptions<A, [K]> & { readonly missing: "1 minute"; schema: Schema.Schema<A, any> }
    ) => {
      const one = here(
        (key: K) => Effect.flatMap(load([key]), (pairs) => Option.fromNullable([...pairs][0]?.[1])),
        { ...options, failures: { ttl: missing, when: (e: any) => e._tag === "NoSuchElementException" }, schema } as never
      )
      const single = (key: K) => Effect.option(one(key)) as Effect.Effect<Option.Option<A>, E, Exclude<R, CacheBackend>>
      return Object.assign(
        (keys: ReadonlyArray<K>) =>
          Effect.map(
            Effect.forEach(keys, (key) => Effect.map(single(key), Option.map((a) => [key, a] as const)), {
              concurrency: "unbounded"
            }),
            (found) => new Map(found.filter(Option.isSome).map((f) => f.value)) as ReadonlyMap<K, A>
          ),
        { one: single, invalidate: (keys: ReadonlyArray<K>) => Effect.forEach(keys, (key) => one.invalidate(key), { discard: true }) }
      )
    }
  }
}
