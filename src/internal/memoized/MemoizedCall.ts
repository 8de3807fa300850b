/** What users hold: the memoized function, and the Effect that each of its calls is. */
import { Effect, Effectable } from "effect"
import type { CacheBackend } from "../../CacheBackend.js"
import type { CachedFunction } from "../../CachedFunction.js"
import { CacheError } from "../../CacheError.js"
import { currentFiber, withFiber } from "../runtime/fiber.js"
import type { Arguments, MemoizedFunction } from "./MemoizedFunction.js"

/** An iterator that ends at once with a value: `yield*` returns it without a step of the runtime. */
class Answer<A> implements Effect.EffectGenerator<Effect.Effect<A>> {
  constructor(private readonly value: A) {}

  next(): IteratorReturnResult<A> {
    return { done: true, value: this.value }
  }

  return(value: A): IteratorReturnResult<A> {
    return { done: true, value }
  }

  throw(error: unknown): never {
    throw error
  }

  [Symbol.iterator](): this {
    return this
  }
}

/**
 * `yield*` takes the iterator of this Effect while its fiber runs the generator. A local hit is returned right there, because one
 * operation of the runtime costs more than the rest of the hit. Every other answer, and every call outside a generator, is an
 * operation of the runtime as usual.
 */
export class MemoizedCall<A, E, R> extends Effectable.Class<A, E, R | CacheBackend> {
  constructor(
    private readonly memoized: MemoizedFunction<A, E, R>,
    private readonly receiver: unknown,
    private readonly args: Arguments
  ) {
    super()
  }

  override commit(): Effect.Effect<A, E, R | CacheBackend> {
    return withFiber<A, E, R | CacheBackend>((fiber) => {
      const hit = this.memoized.localHit(fiber, this.args)
      return hit === undefined
        ? this.memoized.lookup(fiber, this.receiver, this.args)
        : Effect.succeed(this.memoized.valueOf(hit))
    })
  }

  override [Symbol.iterator](): Effect.EffectGenerator<Effect.Effect<A, E, R | CacheBackend>> {
    const fiber = currentFiber()
    if (fiber === undefined) return super[Symbol.iterator]()
    if (this.memoized.isTimeToYield()) return Effect.zipRight(Effect.yieldNow(), this)[Symbol.iterator]()
    const hit = this.memoized.localHit(fiber, this.args)
    return hit === undefined ? super[Symbol.iterator]() : new Answer(this.memoized.valueOf(hit))
  }
}

/** Makes the same memoized function for one instance of a class. */
export const bound: unique symbol = Symbol.for("effect-cached/bound")

export type Memoized = CachedFunction<Arguments, unknown, unknown, unknown> & {
  readonly [bound]: (self: unknown) => Memoized
}

/** @param self the instance that the method is bound to; if absent, each call has its own `this` */
export const asFunction = (
  memoized: MemoizedFunction<unknown, unknown, unknown>,
  self?: { readonly value: unknown }
): Memoized => {
  function call(this: unknown, ...args: Arguments) {
    return new MemoizedCall(memoized, self === undefined ? this : self.value, args)
  }
  return Object.assign(call, {
    invalidate: (...args: Arguments) => memoized.invalidate(args),
    forceRecalc(this: unknown, ...args: Arguments) {
      const receiver = self === undefined ? (this === call ? undefined : this) : self.value
      return memoized.forceRecalc(receiver, args)
    },
    requireCache: (...args: Arguments) => memoized.requireCache(args),
    cacheKey: (...args: Arguments) => keyOrThrow(memoized.printed(args)),
    [bound]: (instance: unknown) => asFunction(memoized, { value: instance })
  })
}

export const keyOrThrow = (printed: string | CacheError): string => {
  if (printed instanceof CacheError) throw printed
  return printed
}
