/** Spans around store operations and computations. */
import { Effect, type Tracer } from "effect"
import { type CallingFiber, hasTracer, withFiber } from "../runtime/fiber.js"

const inSpan = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  name: string,
  options: Tracer.SpanOptions
): Effect.Effect<A, E, R> =>
  // `withSpan` excludes ParentSpan from R. The cast puts R back; an effect that needs a ParentSpan is provided with this one.
  Effect.withSpan(effect, name, options) as Effect.Effect<A, E, R>

/** The store of a span, and the name of its cache, if that is one of several. */
interface Traced {
  readonly name: string
  readonly cache?: string | undefined
}

const ofCache = (cache: string | undefined) => (cache === undefined ? {} : { "cache.name": cache })

/** A span around a store operation, if a tracer is installed. */
export const storeSpan = <A, E, R>(
  operation: string,
  store: Traced,
  keys: number,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => withFiber((fiber) => storeSpanOn(fiber, operation, store, keys, effect))

/** The same where the caller knows its fiber. */
export const storeSpanOn = <A, E, R>(
  fiber: CallingFiber,
  operation: string,
  store: Traced,
  keys: number,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  hasTracer(fiber)
    ? inSpan(effect, `cache.${operation}`, {
        kind: "client",
        attributes: { "cache.store": store.name, "cache.keys": keys, ...ofCache(store.cache) }
      })
    : effect

/**
 * A span around a computation in this fiber, if a tracer is installed or the fiber has a span already.
 *
 * @param startedIn the span that started it, if it goes on in the background: a link, because a parent would end before its child
 * @param onSpan called with the span, for those who link to it
 */
export const computeSpan = <A, E, R>(
  fiber: CallingFiber,
  { printed, counters }: { readonly printed: string; readonly counters: { readonly cache: string | undefined } },
  computation: Effect.Effect<A, E, R>,
  startedIn?: Tracer.AnySpan,
  onSpan?: (span: Tracer.AnySpan | undefined) => void
): Effect.Effect<A, E, R> => {
  if (!hasTracer(fiber) && fiber.currentSpan === undefined && startedIn === undefined) return computation
  const told =
    onSpan === undefined
      ? computation
      : withFiber((inside) => {
          onSpan(inside.currentSpan)
          return computation
        })
  return inSpan(told, "cache.compute", {
    attributes: { "cache.key": printed, ...ofCache(counters.cache) },
    links: startedIn === undefined ? [] : [linkTo(startedIn)]
  })
}

/** A span around one load of many keys, if a tracer is installed or the fiber has a span already. */
export const loadSpan = <A, E, R>(keys: number, load: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  withFiber((fiber) =>
    hasTracer(fiber) || fiber.currentSpan !== undefined
      ? inSpan(load, "cache.load", { attributes: { "cache.keys": keys } })
      : load
  )

const linkTo = (span: Tracer.AnySpan): Tracer.SpanLink => ({ _tag: "SpanLink", span, attributes: {} })

/** Links a caller's span to that of the computation whose result it got. */
export const linkSpans = (caller: Tracer.AnySpan | undefined, computing: Tracer.AnySpan | undefined): void => {
  if (caller?._tag === "Span" && computing !== undefined) caller.addLinks([linkTo(computing)])
}

/** Tells on the caller's span, if a tracer is installed, whether the call was answered from the cache. */
export const markHit = (fiber: CallingFiber, hit: boolean): void => {
  const span = fiber.currentSpan
  if (span?._tag === "Span") span.attribute("cache.hit", hit)
}
