/**
 * For a backend that keeps nothing: each caller computes in its own fiber, as if there were no cache. So what Effect does across
 * the computations of one fiber, such as batching their requests, still works.
 */
import { Effect } from "effect"
import { NoCachedValue } from "../../CacheError.js"
import type { CallingFiber } from "../runtime/fiber.js"
import type { Alone } from "./computations/Alone.js"
import type { Lookups, MemoRequest } from "./request.js"

export class Uncached implements Lookups {
  constructor(private readonly alone: Alone) {}

  lookup<A, E, R>(fiber: CallingFiber, request: MemoRequest<A, E, R>): Effect.Effect<A, E, R> {
    request.counters.countOn(fiber, "misses", request)
    return this.alone.compute(request)
  }

  forceRecalc<A, E, R>(request: MemoRequest<A, E, R>): Effect.Effect<A, E, R> {
    return this.alone.compute(request)
  }

  requireCache<A, E, R>(request: MemoRequest<A, E, R>): Effect.Effect<A, NoCachedValue> {
    return Effect.zipRight(
      request.counters.count("misses", request),
      Effect.fail(new NoCachedValue({ key: request.printed }))
    )
  }
}
