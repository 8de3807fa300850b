/** The call of a memoized function, as the Effect that users are given. */
import { Effect, Effectable } from "effect"
import type { CacheBackend } from "../../CacheBackend.js"
import { currentFiber, withFiber } from "../runtime/fiber.js"
import type { Arguments, MemoizedFunction } from "./MemoizedFunction.js"

/** An iterator whose `yield*` is over at once, with a value. */
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
 * `yield*` asks this for its iterator on the fiber that runs the generator. A local hit is given there and then: handing an
 * operation to the runtime and getting its value back costs more than all the rest of a hit. Everything else, and every call
 * outside a generator, is an operation like any other.
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
