/**
 * Memoizes request resolvers.
 *
 * @since 0.1.0
 */
import type { Effect, Request, RequestResolver, Schema } from "effect"
import type { CacheBackend } from "./CacheBackend.js"
import type { CachedManyOptions } from "./CachedManyFunction.js"
import type { BackendOption } from "./cached.js"
import { cachedResolver as untyped } from "./internal/memoized/lifting/liftResolver.js"

/**
 * The options of `cachedResolver`: those of `cachedMany`, without `missing`, because a resolver answers each request. A request is
 * its own key: `keyArgs` picks what the key is made of. Default: the fields of the request, or its `PrimaryKey`.
 *
 * @since 0.1.0
 * @category models
 */
// biome-ignore lint/suspicious/noExplicitAny: as in `MemoOptions`
export interface CachedResolverOptions<A, Req, E = any> extends Omit<CachedManyOptions<A, Req, E>, "missing"> {}

// A request of any success and any error, as RequestResolver itself has it: Request is invariant in both.
// biome-ignore lint/suspicious/noExplicitAny: see above
type AnyRequest = Request.Request<any, any>

/**
 * Memoizes the results of a resolver, request by request. The requests of one batch are read from the cache in one round trip, and
 * those that are not cached run through `resolver` in one batch: each by one caller of all processes. It batches as `resolver`
 * does, so make it once, and use it in place of that. Only successes are kept.
 *
 * @example
 * import { Effect, Request, RequestResolver } from "effect"
 * import { cachedResolver, MemoryBackend } from "effect-cached"
 *
 * class NameOf extends Request.TaggedClass("NameOf")<string, never, { readonly id: number }> {}
 *
 * const names = RequestResolver.makeBatched((requests: ReadonlyArray<NameOf>) =>
 *   Effect.forEach(requests, (request) => Request.succeed(request, `name ${request.id}`), { discard: true })
 * )
 *
 * const program = Effect.gen(function* () {
 *   const resolver = yield* cachedResolver(names, { key: "name", ttl: "1 hour" })
 *   return yield* Effect.forEach([1, 2, 3], (id) => Effect.request(new NameOf({ id }), resolver), { batching: true })
 * })
 *
 * Effect.runPromise(program.pipe(Effect.provide(MemoryBackend.layer({ maxEntries: 1_000 }))))
 *
 * @since 0.1.0
 * @category combinators
 */
export const cachedResolver: <Req extends AnyRequest, Backend = CacheBackend>(
  resolver: RequestResolver.RequestResolver<Req>,
  options: CachedResolverOptions<Request.Request.Success<Req>, Req, Request.Request.Error<Req>> &
    BackendOption<Backend> & {
      // biome-ignore lint/suspicious/noExplicitAny: as in `MemoOptions`
      readonly schema?: Schema.Schema<Request.Request.Success<Req>, any>
    }
) => Effect.Effect<RequestResolver.RequestResolver<Req>, never, Backend> =
  // The implementation is untyped.
  untyped as never
