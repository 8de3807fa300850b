/** A value that a fiber carries and that the fibers which it forks inherit. */
import { Context, Effect, FiberRef, FiberRefs, GlobalValue, Runtime, Tracer } from "effect"
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
    const locals = new Map(surroundings.fiberRefs.locals)
    for (const [ref, history] of locals) if (history.length > longestHistory) locals.set(ref, [history[0]])
    // Set before the fiber starts: `Effect.locally` inside it would cost more than all the rest of this function.
    locals.set(this.ref, [[caller.id(), value]])
    return Runtime.runFork(Runtime.make({ ...surroundings, fiberRefs: FiberRefs.unsafeMake(locals) }))(effect, {
      immediate
    })
  }
}

/**
 * A fiber reference keeps its values of all fibers that a fiber descends from. Computations that start one another, thousands deep,
 * would copy a history of thousands each. It only matters to a fiber that joins another one, so a long one is cut off.
 */
const longestHistory = 16

/** What an effect runs in: services, fiber references, flags. */
export type Surroundings<R> = Runtime.Runtime<R>

/** Those of the calling fiber. */
export const surroundings = <R>(): Effect.Effect<Surroundings<R>, never, R> => Effect.runtime<R>()

/** The same without the caller's span, which ends before what goes on in the background. */
export const withoutSpan = <R>(surroundings: Surroundings<R>): Surroundings<R> =>
  surroundings.context.unsafeMap.has(Tracer.ParentSpan.key)
    ? // The cast: a computation that requires a span is provided with its own, which `computeSpan` makes.
      Runtime.make({
        ...surroundings,
        context: Context.omit(Tracer.ParentSpan)(surroundings.context) as Context.Context<R>
      })
    : surroundings

/** Marks a cache, under whatever tag. The symbol is that of `memoized/engine.ts`, which stands above this room. */
const mark = Symbol.for("effect-cached/engine")

const isCache = (service: unknown): boolean => typeof service === "object" && service !== null && mark in service

/** Who started a computation in the background, in whose surroundings it runs. */
export class Starter {
  readonly span: Tracer.AnySpan | undefined

  constructor(
    private readonly fiber: CallingFiber,
    private readonly context: Context.Context<never>
  ) {
    this.span = fiber.currentSpan
  }

  /**
   * Whether services of the computation may be closed, because the fiber has ended or has left the region that provides them. The
   * cache itself is none of them.
   */
  hasLeft(): boolean {
    const { context, fiber } = this
    if (fiber.unsafePoll() === null && fiber.currentContext === context) return false
    for (const [key, service] of context.unsafeMap) {
      if (key !== Tracer.ParentSpan.key && !isCache(service)) return true
    }
    return false
  }
}
