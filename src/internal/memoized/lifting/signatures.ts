/**
 * The types of `cached`: what it takes, and the signatures of `cache.cached`. Those of the function `cached` stand in the public
 * module: they have the same parameters and one more, the cache.
 */
import type { Effect, Schema } from "effect"
import type { CachedEffectOf, CachedFunctionOf, CachedOptions } from "../../../CachedFunction.js"
import type { CachedManyFunctionOf, CachedManyOptions } from "../../../CachedManyFunction.js"
import type { Unscoped } from "../../../CacheOptions.js"

/** `T` itself, but nothing is inferred from it. With `NoInfer` a callback could not take fewer parameters than the function. */
export type Settled<T extends ReadonlyArray<unknown>> = [T][T extends unknown ? 0 : never]

/** Whether option callbacks that take `Args` can be called with the function's own arguments. */
type Matching<Args extends ReadonlyArray<unknown>, Own extends ReadonlyArray<unknown>> = [Args] extends [never]
  ? unknown
  : ((...args: Args) => void) extends (...args: Own) => void
    ? unknown
    : "the option callbacks take other arguments than the function"

/** The options, of which only the schema says what the value is. */
export type Keeping<A, Args extends ReadonlyArray<unknown>, This, E, R> = CachedOptions<
  NoInfer<A>,
  Args,
  This,
  NoInfer<E>,
  NoInfer<R>
> & {
  // biome-ignore lint/suspicious/noExplicitAny: as in `MemoOptions`
  readonly schema?: Schema.Schema<A, any>
}

/** The options of which the schema says what the value is. */
export type Schematic<A, Args extends ReadonlyArray<unknown>, This, E, R, F> = CachedOptions<
  NoInfer<A>,
  Args,
  This,
  E,
  R,
  F
> & {
  // biome-ignore lint/suspicious/noExplicitAny: as in `MemoOptions`
  readonly schema: Schema.Schema<A, any>
}

/** Whether the option `failures` knows all errors that the function may fail with. */
type Knowing<Known, E> = [E] extends [Known] ? unknown : "the option failures does not know all errors of the function"

/** Refuses arguments that neither the function's annotations nor the type that is expected of the result tell. */
export type Inferred<Args extends ReadonlyArray<unknown>> = [Args] extends [never]
  ? "the arguments have no types"
  : unknown

/** In a union with a function type it takes the context away: in `(a: string, b = 3) => …` `b` is then a number, not `unknown`. */
export type Uncontextual = (uncontextual: Uncontextual) => Uncontextual

/** What `cached(options)` takes: a function, a method that it decorates, or an effect. */
export type Target<
  A,
  Args extends ReadonlyArray<unknown>,
  Self,
  RefreshR,
  Known,
  B extends A,
  E,
  R,
  This extends Self,
  Own extends ReadonlyArray<unknown>
> =
  | (Effect.Effect<A, E, R> & Effect.Effect<B, E, R> & Matching<Args, []> & Unscoped<R | RefreshR> & Knowing<Known, E>)
  | (((this: This, ...args: Own) => Effect.Effect<A, E, R> & Effect.Effect<B, E, R>) &
      Matching<Args, Own> &
      Unscoped<R | RefreshR> &
      Knowing<Known, E>)
  // Gives the callbacks of the options the argument types of the function in the pipe.
  | (((this: Self, ...args: Args) => Effect.Effect<A, E, R> & Effect.Effect<B, E, R>) &
      Unscoped<R | RefreshR> &
      Knowing<Known, E>)

/** What `cache.cached(options)` returns. */
export type LiftHere<
  A,
  Args extends ReadonlyArray<unknown>,
  Self = unknown,
  Kept = never,
  RefreshE = never,
  RefreshR = never,
  Known = unknown
> = <E, R, B extends A, This extends Self, Own extends ReadonlyArray<unknown> = never>(
  target: Target<A, Args, Self, RefreshR, Known, B, E, R, This, Own>,
  context?: ClassMethodDecoratorContext<This>
) => [Own] extends [never]
  ? CachedEffectOf<never, [Kept] extends [never] ? B : Kept, E | RefreshE, R | RefreshR>
  : CachedFunctionOf<never, Own, [Kept] extends [never] ? B : Kept, E | RefreshE, R | RefreshR, This>

/** `cachedMany` of a service. */
export type CachedManyHere = <K, B extends A, E, R, A = B>(
  load: ((keys: ReadonlyArray<K>) => Effect.Effect<Iterable<readonly [K, B]>, E, R>) & Unscoped<R>,
  options: CachedManyOptions<NoInfer<A>, NoInfer<K>, NoInfer<E>> & {
    // biome-ignore lint/suspicious/noExplicitAny: as in `MemoOptions`
    readonly schema?: Schema.Schema<A, any>
  }
) => CachedManyFunctionOf<never, K, A, E, R>

/** `cached` of a service. */
export interface CachedHere {
  <This, B extends A, E, R, Args extends ReadonlyArray<unknown> = never, A = B>(
    f: ((this: This, ...args: Args) => Effect.Effect<B, E, R>) & Unscoped<R>,
    options: Keeping<A, Settled<Args>, NoInfer<This>, E, R> & Inferred<Args>
  ): CachedFunctionOf<never, Args, A, E, R, This>
  <This, Args extends ReadonlyArray<unknown>, B extends A, E, R, A = B>(
    f: (((this: This, ...args: Args) => Effect.Effect<B, E, R>) & Unscoped<R>) | Uncontextual,
    options: Keeping<A, Settled<Args>, NoInfer<This>, E, R>
  ): CachedFunctionOf<never, Args, A, E, R, This>
  <B extends A, E, R, A = B>(
    effect: Effect.Effect<B, E, R> & Unscoped<R>,
    options: Keeping<A, [], unknown, E, R>
  ): CachedEffectOf<never, A, E, R>
  <A, Args extends ReadonlyArray<unknown> = never, This = unknown, E = never, R = never, F = unknown>(
    options: Schematic<A, Args, This, E, R, F>
  ): LiftHere<A, Args, This, A, E, R, F>
  <A, Args extends ReadonlyArray<unknown> = never, This = unknown, E = never, R = never, F = unknown>(
    options: CachedOptions<A, Args, This, E, R, F>
  ): LiftHere<A, Args, This, never, E, R, F>
}
