/** The making of memoized functions, methods and effects. */
import { Effect, Effectable } from "effect"
import type { CachedEffect, CachedFunction, CachedOptions } from "../../CachedFunction.js"
import { CacheError } from "../../CacheError.js"
import { escapeName, printEscapedCall } from "../keys/printKey.js"
import { Lookup } from "./MemoizedCall.js"
import { type Arguments, MemoizedCalls } from "./MemoizedFunction.js"

type AnyMethod = (this: unknown, ...args: Arguments) => Effect.Effect<unknown, unknown, unknown>

/** How a memoized function is made again for one instance. */
const bound: unique symbol = Symbol.for("effect-cached/bound")

type Memoized = CachedFunction<unknown, Arguments, unknown, unknown, unknown> & {
  readonly [bound]: (self: unknown) => Memoized
}

/** @param self what the method is bound to; `undefined` takes the `this` of each call */
const memoized = (calls: MemoizedCalls<unknown, unknown, unknown>, self?: { readonly value: unknown }): Memoized => {
  function call(this: unknown, ...args: Arguments) {
    return new Lookup(calls, self === undefined ? this : self.value, args)
  }
  return Object.assign(call, {
    invalidate: (...args: Arguments) => calls.invalidate(args),
    forceRecalc(this: unknown, ...args: Arguments) {
      const receiver = self === undefined ? (this === call ? undefined : this) : self.value
      return calls.forceRecalc(receiver, args)
    },
    requireCache: (...args: Arguments) => calls.requireCache(args),
    cacheKey: (...args: Arguments) => keyOrThrow(calls.printed(args)),
    [bound]: (instance: unknown) => memoized(calls, { value: instance })
  })
}

const keyOrThrow = (printed: string | CacheError): string => {
  if (printed instanceof CacheError) throw printed
  return printed
}

const liftFunction = (method: AnyMethod, options: CachedOptions<unknown, Arguments>): Memoized => {
  const name = escapeName(`${options.key}`)
  return memoized(
    new MemoizedCalls(
      options,
      (args) => printEscapedCall(name, args),
      (receiver, args) => Reflect.apply(method, receiver, args)
    )
  )
}

class MemoizedEffect
  extends Effectable.Class<unknown, unknown, unknown>
  implements CachedEffect<unknown, unknown, unknown>
{
  readonly cacheKey: string
  readonly invalidate: CachedEffect<unknown, unknown, unknown>["invalidate"]
  readonly forceRecalc: Effect.Effect<unknown, unknown, unknown>
  readonly requireCache: CachedEffect<unknown, unknown, unknown>["requireCache"]
  private readonly run: Effect.Effect<unknown, unknown, unknown>

  constructor(effect: Effect.Effect<unknown, unknown, unknown>, options: CachedOptions<unknown>) {
    super()
    const name = escapeName(`${options.key}`)
    const calls = new MemoizedCalls<unknown, unknown, unknown>(
      options,
      () => name,
      () => effect
    )
    this.cacheKey = name
    this.run = new Lookup(calls, undefined, [])
    this.invalidate = calls.invalidate([])
    this.forceRecalc = calls.forceRecalc(undefined, [])
    this.requireCache = calls.requireCache([])
  }

  override commit(): Effect.Effect<unknown, unknown, unknown> {
    return this.run
  }

  override [Symbol.iterator](): Effect.EffectGenerator<Effect.Effect<unknown, unknown, unknown>> {
    return this.run[Symbol.iterator]()
  }
}

/** On an instance the method is its own, bound; unless a subclass has put another in its place. */
const decorate = (
  method: AnyMethod,
  options: CachedOptions<unknown, Arguments>,
  context: ClassMethodDecoratorContext
): Memoized => {
  const calls = liftFunction(method, options)
  if (!context.private) {
    context.addInitializer(function (this: unknown) {
      // An initializer's `this` is the instance, or the class of a static method: an object either way.
      const instance = this as Record<PropertyKey, unknown>
      if (instance[context.name] !== calls) return
      Object.defineProperty(instance, context.name, {
        value: calls[bound](instance),
        configurable: true,
        enumerable: false,
        writable: true
      })
    })
  }
  return calls
}

type Target = AnyMethod | Effect.Effect<unknown, unknown, unknown>

const lift = (target: Target, options: CachedOptions<unknown, Arguments>, context?: ClassMethodDecoratorContext) => {
  if (Effect.isEffect(target)) return new MemoizedEffect(target, options)
  return context === undefined ? liftFunction(target, options) : decorate(target, options, context)
}

function untyped(first: Target | CachedOptions<unknown, Arguments>, options?: CachedOptions<unknown, Arguments>) {
  if (options !== undefined) return lift(first as Target, options)
  return (target: Target, context?: ClassMethodDecoratorContext) =>
    lift(target, first as CachedOptions<unknown, Arguments>, context)
}

export { untyped as cached }

export const asCached = (method: unknown): Memoized => {
  // Only memoized functions carry the symbol.
  if (typeof method === "function" && bound in method) return method as Memoized
  throw new TypeError("asCached: this function was not made by cached")
}
