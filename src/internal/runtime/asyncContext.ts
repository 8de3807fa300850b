/**
 * Node's AsyncLocalStorage. A driver's callback resumes many callers, all of them in the async context of one, so a computation
 * that begins after it would read another request's storage. An async context can't be left to a fiber, only to a function: a
 * fiber that starts at once, inside that function, has it until it waits for the first time.
 */
import { AsyncResource } from "node:async_hooks"
import { Effect, type Fiber, Runtime } from "effect"

/** A part of Node's `AsyncResource`, named here so that the declarations need no types of Node. */
export interface AsyncContext {
  runInAsyncScope<A>(run: () => A): A
}

/** The async context of the running code. It takes 30 ns; `AsyncLocalStorage.snapshot` takes 10 µs on Node 20. */
export const captureAsyncContext = (): AsyncContext => new AsyncResource("effect-cached")

/** Runs the function in that async context, if there is one. */
export const inAsyncContext = <A>(context: AsyncContext | undefined, run: () => A): A =>
  context === undefined ? run() : context.runInAsyncScope(run)

/** Runs the effect in a new fiber without a parent, which starts at once, in that async context if there is one. */
export const forkInAsyncContext = <A, E, R>(
  context: AsyncContext | undefined,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<Fiber.RuntimeFiber<A, E>, never, R> =>
  Effect.map(Effect.runtime<R>(), (runtime) => inAsyncContext(context, () => Runtime.runFork(runtime)(effect)))
