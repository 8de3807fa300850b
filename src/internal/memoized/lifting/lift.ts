/** Makes memoized functions, methods and effects. */
import { Effect, Effectable } from "effect"
import { CacheBackend, type CacheBackendService } from "../../../CacheBackend.js"
import type { CachedEffectOf, CachedOptions } from "../../../CachedFunction.js"
import type { CacheError } from "../../../CacheError.js"
import { type Arguments, Parameters } from "../arguments/callArguments.js"
import { asFunction, bound, keyOrThrow, type Memoized, MemoizedCall } from "../MemoizedCall.js"
import { type CacheSource, type CacheTag, MemoizedFunction } from "../MemoizedFunction.js"
import { callPrinter, pickedPrinter, printEffect } from "./keyOption.js"

type AnyMethod = (this: unknown, ...args: Arguments) => Effect.Effect<unknown, unknown, unknown>

const liftFunction = (method: AnyMethod, options: CachedOptions<unknown, Arguments>, source: CacheSource): Memoized => {
  return asFunction(
    new MemoizedFunction(
      options,
      {
        parameters: new Parameters(method),
        definition: () => ({ name: method.name, text: Function.prototype.toString.call(method) }),
        print: callPrinter(options.key),
        printPicked: pickedPrinter(options.key),
        compute: (receiver, args) => Reflect.apply(method, receiver, args)
      },
      source
    )
  )
}

class MemoizedEffect
  extends Effectable.Class<unknown, unknown, unknown>
  implements CachedEffectOf<CacheBackend, unknown, unknown, unknown>
{
  readonly invalidate: CachedEffectOf<CacheBackend, unknown, unknown, unknown>["invalidate"]
  readonly forceRecalc: Effect.Effect<unknown, unknown, unknown>
  readonly requireCache: CachedEffectOf<CacheBackend, unknown, unknown, unknown>["requireCache"]
  private readonly key: string | CacheError
  private readonly run: Effect.Effect<unknown, unknown, unknown>

  constructor(effect: Effect.Effect<unknown, unknown, unknown>, options: CachedOptions<unknown>, source: CacheSource) {
    super()
    const key = printEffect(options.key)
    const compute = () => effect
    const memoized = new MemoizedFunction<unknown, unknown, unknown>(
      options,
      {
        parameters: new Parameters(compute),
        definition: undefined,
        print: () => key,
        printPicked: () => key,
        compute
      },
      source
    )
    this.key = key
    this.run = new MemoizedCall(memoized, undefined, [])
    this.invalidate = memoized.invalidate(undefined, [])
    this.forceRecalc = memoized.forceRecalc(undefined, [])
    this.requireCache = memoized.requireCache(undefined, [])
  }

  get cacheKey(): string {
    return keyOrThrow(this.key)
  }

  override commit(): Effect.Effect<unknown, unknown, unknown> {
    return this.run
  }

  override [Symbol.iterator](): Effect.EffectGenerator<Effect.Effect<unknown, unknown, unknown>> {
    return this.run[Symbol.iterator]()
  }
}

/** Gives each instance its own, bound memoized method, unless a subclass overrides the method. */
const decorate = (
  method: AnyMethod,
  options: CachedOptions<unknown, Arguments>,
  context: ClassMethodDecoratorContext,
  source: CacheSource
): Memoized => {
  const memoized = liftFunction(method, options, source)
  if (!context.private) {
    context.addInitializer(function (this: unknown) {
      // The `this` of an initializer is the instance, or the class if the method is static: an object either way.
      const instance = this as Record<PropertyKey, unknown>
      if (instance[context.name] !== memoized) return
      Object.defineProperty(instance, context.name, {
        value: memoized[bound](instance),
        configurable: true,
        enumerable: false,
        writable: true
      })
    })
  }
  return memoized
}

type Target = AnyMethod | Effect.Effect<unknown, unknown, unknown>

/** Only a decorator passes its context, an object. As a callback of `map` the function gets an index, which is ignored. */
const isContext = (given: unknown): given is DecoratorContext => typeof given === "object" && given !== null

/** @param given the second argument: a decorator's context, or the method's name from TypeScript's older decorators */
const lift = (target: Target, options: CachedOptions<unknown, Arguments>, source: CacheSource, given?: unknown) => {
  if (Effect.isEffect(target)) return new MemoizedEffect(target, options, source)
  if (typeof given === "string" || typeof given === "symbol") throw new TypeError(olderDecorator(String(given)))
  const context = isContext(given) ? given : undefined
  if (context !== undefined && context.kind !== "method") {
    throw new TypeError(`@cached decorates methods, not a ${context.kind}`)
  }
  if (typeof target !== "function") throw new TypeError("cached takes an Effect, or a function that returns one")
  return context === undefined ? liftFunction(target, options, source) : decorate(target, options, context, source)
}

const olderDecorator = (name: string): string =>
  `@cached on ${name} is a standard decorator, but the compiler calls it as one of the older kind: remove ` +
  "`experimentalDecorators` from tsconfig.json, and from the options of esbuild, SWC or Babel. Where that can't be, " +
  `decorate nothing, and write a property: ${name} = cached(function (…) { … }, { key: "…" })`

/** The options as `cached` takes them. */
type Options = CachedOptions<unknown, Arguments> & { readonly backend?: CacheTag }

const untyped = (sourceOf: (options: Options) => CacheSource) => (first: Target | Options, options?: Options) => {
  if (options !== undefined) return lift(first as Target, options, sourceOf(options))
  const given = first as Options
  return (target: Target, context?: unknown) => lift(target, given, sourceOf(given), context)
}

export const cached = untyped((options) => ({ maker: undefined, tag: options.backend ?? CacheBackend }))

/** `cached` of a service: its functions belong to that cache. */
export const cachedIn = (cache: () => CacheBackendService) => untyped(() => ({ maker: cache(), tag: CacheBackend }))

export const asCached = (method: unknown): Memoized => {
  // Only memoized functions carry the symbol.
  if (typeof method === "function" && bound in method) return method as Memoized
  throw new TypeError("asCached: this function was not made by cached")
}
