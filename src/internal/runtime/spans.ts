/** Spans around store operations and computations. */
import { Effect, type Tracer } from "effect"
import { type CallingFiber, hasTracer, withFiber } from "./fiber.js"

const inSpan = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  name: string,
  options: Tracer.SpanOptions
): Effect.Effect<A, E, R> =>
  // `withSpan` excludes ParentSpan from R. The cast puts R back; an effect that needs a ParentSpan is provided with this one.
  Effect.withSpan(effect, name, options) as Effect.Effect<A, E, R>

/** A span around a store operation, if a tracer is installed. */
export const storeSpan = <A, E, R>(
  operation: string,
  store: string,
  keys: number,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => withFiber((fiber) => storeSpanOn(fiber, operation, store, keys, effect))

/** The same where the caller knows its fiber. */
export const storeSpanOn = <A, E, R>(
  fiber: CallingFiber,
  operation: string,
  store: string,
  keys: number,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  hasTracer(fiber)
    ? inSpan(effect, `cache.${operation}`, {
        kind: "client",
        attributes: { "cache.store": store, "cache.keys": keys }
      })
    : effect

/** A span around a computation in this fiber, if a tracer is installed or the fiber has a span already. */
export const computeSpan = <A, E, R>(
  fiber: CallingFiber,
  printed: string,
  computation: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  hasTracer(fiber) || fiber.currentSpan !== undefined
    ? inSpan(computation, "cache.compute", { attributes: { "cache.key": printed } })
    : computation
