/** Makes memoized resolvers of requests. */
import { Effect, PrimaryKey, Request, RequestResolver } from "effect"
import { CacheBackend, type CacheBackendService } from "../../../CacheBackend.js"
import { withFiber, withService } from "../../runtime/fiber.js"
import type { CacheTag } from "../MemoizedFunction.js"
import { MemoizedMany } from "../MemoizedMany.js"
import type { ManyOptions } from "./manyOptions.js"

type AnyRequest = Request.Request<unknown, unknown>
type Resolver = RequestResolver.RequestResolver<AnyRequest>

/**
 * What the key of a request is made of: the request, if it has a `PrimaryKey`; else its fields, because a class with a prototype of
 * its own has no key.
 */
const fieldsOf = (request: unknown): unknown =>
  typeof request !== "object" || request === null || PrimaryKey.symbol in request ? request : { ...request }

/**
 * Not from Effect's cache of requests (`Effect.withRequestCaching`): an equal request that waits for this load is in it, so each
 * would wait for the other. What the resolver itself asks for is cached there all the same, because the resolver runs outside of
 * this.
 */
const askedAnew = (request: AnyRequest, resolver: Resolver): Effect.Effect<unknown, unknown> =>
  Effect.withRequestCaching(Effect.request(request, resolver), false)

const liftResolver = (
  resolver: Resolver,
  options: ManyOptions,
  backend: CacheBackendService
): Effect.Effect<Resolver> =>
  Effect.sync(() => {
    const memoized = new MemoizedMany(
      "cachedResolver",
      // In one batch; each request has a result of its own.
      (requests) =>
        Effect.forEach(
          requests as ReadonlyArray<AnyRequest>,
          (request) => Effect.map(Effect.exit(askedAnew(request, resolver)), (exit) => [request, exit] as const),
          { concurrency: "unbounded", batching: true }
        ),
      { keyArgs: fieldsOf, ...options },
      undefined
    )
    return RequestResolver.makeBatched((requests: ReadonlyArray<AnyRequest>) =>
      withFiber((fiber) => {
        const answered = memoized.lookupEach(fiber, backend, requests, (answer, equal) =>
          Effect.flatMap(Effect.exit(answer), (exit) =>
            Effect.forEach(equal as ReadonlyArray<AnyRequest>, (request) => Request.complete(request, exit), {
              discard: true
            })
          )
        )
        // The resolver requires nothing, so neither does what it loads.
        return answered as Effect.Effect<void>
      })
    )
  })

/** In the cache of the fiber that makes it. */
export const cachedResolver = (resolver: Resolver, options: ManyOptions & { readonly backend?: CacheTag }) =>
  withService(options.backend ?? CacheBackend, (_fiber, backend) => liftResolver(resolver, options, backend))
