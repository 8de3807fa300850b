/** A value that a fiber carries and that the fibers which it forks inherit. */
import { Effect, FiberRef, FiberRefs, GlobalValue, Runtime } from "effect"
import type { CallingFiber } from "./fiber.js"

export class Inherited<A> {
  private readonly ref: FiberRef.FiberRef<A>

  /** @param name global: all copies of this module in a process share the value under it */
  constructor(name: string, initial: A) {
    this.ref = GlobalValue.globalValue(Symbol.for(name), () =>
      // A fiber that joins another fiber keeps its own value.
      FiberRef.unsafeMake<A>(initial, { join: (own) => own })
    )
  }

  of(fiber: CallingFiber): A {
    return fiber.getFiberRef(this.ref)
  }

  /** Runs the effect with another value. */
  within<B, E, R>(effect: Effect.Effect<B, E, R>, value: A): Effect.Effect<B, E, R> {
    return Effect.locally(effect, this.ref, value)
  }

  /**
   * Runs the effect with this value in a new fiber without a parent. It has the services, fiber references and flags of
   * `surroundings`.
   *
   * @param immediate whether the fiber starts at once, within the caller's turn of the scheduler, and runs until it suspends
   */
  fork<B, E, R>(
    caller: CallingFiber,
    surroundings: Surroundings<R>,
    value: A,
    effect: Effect.Effect<B, E, R>,
    immediate: boolean
  ) {
    // Set before the fiber starts: `Effect.locally` inside it would cost more than all the rest of this function.
    const fiberRefs = FiberRefs.updateAs(surroundings.fiberRefs, { fiberId: caller.id(), fiberRef: this.ref, value })
    return Runtime.runFork(Runtime.make({ ...surroundings, fiberRefs }))(effect, { immediate })
  }
}

/** What an effect runs in: services, fiber references, flags. */
export type Surroundings<R> = Runtime.Runtime<R>

/** Those of the calling fiber. */
export const surroundings = <R>(): Effect.Effect<Surroundings<R>, never, R> => Effect.runtime<R>()
