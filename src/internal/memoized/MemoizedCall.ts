/** What users hold: the memoized function, and the Effect that each of its calls is. */
import { Effect, Effectable } from "effect"
import type { CacheBackend } from "../../CacheBackend.js"
import type { CachedFunctionOf } from "../../CachedFunction.js"
import { CacheError } from "../../CacheError.js"
import { currentFiber, withFiber } from "../runtime/fiber.js"
import type { Arguments } from "./arguments/callArguments.js"
import type { MemoizedFunction } from "./MemoizedFunction.js"

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

export type Memoized = CachedFunctionOf<CacheBackend, Arguments, unknown, unknown, unknown> & {
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
  /** `service.method.invalidate(…)` has the function itself for its `this`: the service is not known then. */
  const receiver = (given: unknown): unknown => (self !== undefined ? self.value : given === call ? undefined : given)
  return Object.assign(call, {
    invalidate(this: unknown, ...args: Arguments) {
      return memoized.invalidate(receiver(this), args)
    },
    forceRecalc(this: unknown, ...args: Arguments) {
      return memoized.forceRecalc(receiver(this), args)
    },
    requireCache(this: unknown, ...args: Arguments) {
      return memoized.requireCache(receiver(this), args)
    },
    cacheKey(this: unknown, ...args: Arguments) {
      return keyOrThrow(memoized.printed(receiver(this), args))
    },
    [bound]: (instance: unknown) => asFunction(memoized, { value: instance })
  })
}

export const keyOrThrow = (printed: string | CacheError): string => {
  if (printed instanceof CacheError) throw printed
  return printed
}
