/** A value that a fiber carries and hands down to the fibers that it forks. */
import { Effect, FiberRef, FiberRefs, GlobalValue, Runtime } from "effect"
import type { CallingFiber } from "./fiber.js"

export class Inherited<A> {
  private readonly ref: FiberRef.FiberRef<A>

  /** @param name of the value, the same in every copy of this module that a process loads */
  constructor(name: string, initial: A) {
    this.ref = GlobalValue.globalValue(Symbol.for(name), () =>
      // A fiber that joins one forked with another value keeps its own.
      FiberRef.unsafeMake<A>(initial, { join: (own) => own })
    )
  }

  of(fiber: CallingFiber): A {
    return fiber.getFiberRef(this.ref)
  }

  /** The effect, run with another value. */
  within<B, E, R>(effect: Effect.Effect<B, E, R>, value: A): Effect.Effect<B, E, R> {
    return Effect.locally(effect, this.ref, value)
  }

  /**
   * Runs the effect in a fiber that has no parent, with all that the caller's `surroundings` provide, and with this value.
   *
   * @param immediate whether it runs at once, within the caller's turn, as far as it does not suspend
   */
  fork<B, E, R>(
    caller: CallingFiber,
    surroundings: Surroundings<R>,
    value: A,
    effect: Effect.Effect<B, E, R>,
    immediate: boolean
  ) {
    // Set before there is a fiber: one that sets it itself takes longer for that than for all else here.
    const fiberRefs = FiberRefs.updateAs(surroundings.fiberRefs, { fiberId: caller.id(), fiberRef: this.ref, value })
    return Runtime.runFork(Runtime.make({ ...surroundings, fiberRefs }))(effect, { immediate })
  }
}

/** What an effect finds around it: services, fiber references, flags. */
export type Surroundings<R> = Runtime.Runtime<R>

export const surroundings = <R>(): Effect.Effect<Surroundings<R>, never, R> => Effect.runtime<R>()
