/**
 * The making of memoized functions and effects. A call that hits a store of references is the hot path of the library:
 * a remembered key, a look-up, two counters, and at most one operation of the runtime.
 */
import { Effect, Effectable, Either, Fiber, Option } from "effect"
import { CacheBackend, type CacheBackendService } from "../CacheBackend.js"
import { CacheError, type NoCachedValue } from "../CacheError.js"
import type { CachedValue, Place } from "../CacheStore.js"
import type { CachedEffect, CachedFunction, CachedOptions } from "../cached.js"
import { escapeName, printEscapedCall } from "../keys/printKey.js"
import { ArgumentMemory } from "./ArgumentMemory.js"
import { type Definition, define, policyOf } from "./definition.js"
import { type Engine, engine } from "./engine.js"
import { debugIsOn, type Meters, nowMillis } from "./instruments.js"
import { during, type Name } from "./names.js"
import type { ValueCodec } from "./records.js"
import type { MemoRequest, Policy } from "./request.js"

type Arguments = ReadonlyArray<unknown>

/** What a memoized function remembers of one backend. */
interface Binding<A> {
  readonly backend: CacheBackendService
  readonly engine: Engine
  readonly meters: Meters
  readonly codec: ValueCodec<A>
  readonly policy: Policy<A>
  /** Finished, where they do not depend on the arguments. */
  readonly groups: ReadonlyArray<string> | CacheError | undefined
  /** The names of calls, for a store to which they have to be told. */
  readonly names: ArgumentMemory<Name>
  /** Where the values of calls stand, if that is in the memory of this process and all that a hit depends on. */
  readonly atHand: { readonly groups: ReadonlyArray<string>; readonly places: ArgumentMemory<Place> } | undefined
}

/** A call with everything about it settled but the computing. */
interface Call<A> {
  readonly binding: Binding<A>
  readonly definition: Definition<A, Arguments>
  readonly name: Name
  readonly groups: ReadonlyArray<string>
  readonly args: Arguments
}

const rememberedNames = 20_000

const keyIsEmpty = new CacheError({
  reason: "InvalidKey",
  operation: "cached",
  description: "the option key must be a text that is not empty"
})

const nothingToCompute = Effect.dieMessage("this operation never computes")

export class Lifted<A, E, R> {
  private readonly definition: Either.Either<Definition<A, Arguments>, CacheError>
  private readonly bindings = new WeakMap<CacheBackendService, Binding<A>>()
  private latest: Binding<A> | undefined
  private answers = 0

  constructor(
    private readonly options: CachedOptions<A, Arguments>,
    private readonly print: (args: Arguments) => string | CacheError,
    private readonly compute: (receiver: unknown, args: Arguments) => Effect.Effect<A, E, R>
  ) {
    // Called from JavaScript the key may be anything.
    const valid = typeof options.key === "string" && options.key !== ""
    this.definition = valid ? define("cached", options) : Either.left(keyIsEmpty)
  }

  /** The key as the user knows it, or why it has none. */
  printed(args: Arguments): string | CacheError {
    if (Either.isLeft(this.definition) && this.definition.left === keyIsEmpty) return keyIsEmpty
    const { keyArgs } = this.options
    if (keyArgs === undefined) return this.print(args)
    const part = keyArgs(...args)
    return this.print(Array.isArray(part) ? part : [part])
  }

  /** A fresh value that is at hand, for a call whose value was so before; the hot path of the library. */
  atHand(fiber: Fiber.RuntimeFiber<unknown, unknown>, args: Arguments): CachedValue | undefined {
    const binding = this.latest
    if (binding?.atHand === undefined || binding.backend !== backendOf(fiber)) return undefined
    const place = binding.atHand.places.get(args)
    return place === undefined ? undefined : this.hit(fiber, binding, place, binding.atHand.groups)
  }

  lookup(
    fiber: Fiber.RuntimeFiber<unknown, unknown>,
    receiver: unknown,
    args: Arguments
  ): Effect.Effect<A, E, R | CacheBackend> {
    const backend = backendOf(fiber)
    if (backend === undefined) return Effect.flatMap(CacheBackend, () => Effect.never)
    const call = this.prepare(backend, args)
    if (call instanceof CacheError) return Effect.die(during("cached", call))
    const { binding, definition, groups, name } = call
    const place = definition.policy.earlyRefresh === 0 ? binding.engine.records.places?.find(name.finished) : undefined
    const hit = place === undefined ? undefined : this.hit(fiber, binding, place, groups)
    if (place !== undefined && hit !== undefined) {
      if (this.options.keyArgs === undefined) binding.atHand?.places.remember(args, place)
      return Effect.succeed(this.valueOf(hit))
    }
    return binding.engine.memoizer.lookup(fiber, this.request(call, this.computation(receiver, args)))
  }

  /** Once in a while, for those who take what is at hand without the runtime, which would see to it. */
  isTimeToYield(): boolean {
    return ++this.answers % answersInARow === 0
  }

  /** By the contract of a key, what stands under it is what its function computes. */
  valueOf(hit: CachedValue): A {
    return hit.payload as A
  }

  forceRecalc(receiver: unknown, args: Arguments): Effect.Effect<A, E, R | CacheBackend> {
    return Effect.flatMap(CacheBackend, (backend) => {
      const call = this.prepare(backend, args)
      return call instanceof CacheError
        ? Effect.die(during("forceRecalc", call))
        : call.binding.engine.memoizer.forceRecalc(this.request(call, this.computation(receiver, args)))
    })
  }

  requireCache(args: Arguments): Effect.Effect<A, NoCachedValue | CacheError, CacheBackend> {
    return Effect.flatMap(CacheBackend, (backend) => {
      const call = this.prepare(backend, args)
      if (call instanceof CacheError) return Effect.fail(during("requireCache", call))
      return Effect.mapError(
        call.binding.engine.memoizer.requireCache(this.request(call, nothingToCompute)),
        (error) => (error._tag === "CacheError" ? during("requireCache", error, call.name.printed) : error)
      )
    })
  }

  invalidate(args: Arguments): Effect.Effect<void, CacheError, CacheBackend> {
    return Effect.flatMap(CacheBackend, (backend) => {
      const call = this.prepare(backend, args)
      if (call instanceof CacheError) return Effect.fail(during("invalidate", call))
      return Effect.mapError(Effect.asVoid(call.binding.engine.invalidation.keys([call.name])), (error) =>
        during("invalidate", error, call.name.printed)
      )
    })
  }

  private computation(receiver: unknown, args: Arguments): Effect.Effect<A, E, R> {
    return Effect.suspend(() => this.compute(receiver, args))
  }

  /** A fresh value, counted; with logging on the long way round, which logs. */
  private hit(
    fiber: Fiber.RuntimeFiber<unknown, unknown>,
    binding: Binding<A>,
    place: Place,
    groups: ReadonlyArray<string>
  ): CachedValue | undefined {
    const hit = binding.engine.records.unsafeFresh(place, groups, nowMillis(fiber))
    if (hit === undefined || debugIsOn(fiber)) return undefined
    binding.meters.unsafeCount(fiber, "hits")
    return hit
  }

  private prepare(backend: CacheBackendService, args: Arguments): Call<A> | CacheError {
    const definition = this.definition
    if (Either.isLeft(definition)) return definition.left
    const binding = this.bindingTo(backend, definition.right)
    const name = this.nameOf(binding, args)
    if (name instanceof CacheError) return name
    const groups = binding.groups ?? this.groupsOf(binding.engine, definition.right, args)
    if (groups instanceof CacheError) return groups
    return { binding, definition: definition.right, name, groups, args }
  }

  private bindingTo(backend: CacheBackendService, definition: Definition<A, Arguments>): Binding<A> {
    if (this.latest?.backend === backend) return this.latest
    let binding = this.bindings.get(backend)
    if (binding === undefined) {
      const inside = backend[engine]
      const groups = typeof definition.groups === "function" ? undefined : this.groupsOf(inside, definition, [])
      const { places } = inside.records
      const { earlyRefresh } = definition.policy
      binding = {
        backend,
        engine: inside,
        meters: inside.instruments.meters(this.options.key),
        codec: inside.records.codec(definition.schema),
        policy: policyOf(definition, inside.defaultTtl),
        groups,
        names: new ArgumentMemory(rememberedNames),
        atHand:
          groups === undefined || groups instanceof CacheError || places === undefined || earlyRefresh !== 0
            ? undefined
            : { groups, places: new ArgumentMemory(Math.max(rememberedNames, places.capacity)) }
      }
      this.bindings.set(backend, binding)
    }
    this.latest = binding
    return binding
  }

  private groupsOf(
    inside: Engine,
    definition: Definition<A, Arguments>,
    args: Arguments
  ): ReadonlyArray<string> | CacheError {
    const names = typeof definition.groups === "function" ? definition.groups(...args) : definition.groups
    return Either.merge(inside.names.groups("cached", names))
  }

  private nameOf(binding: Binding<A>, args: Arguments): Name | CacheError {
    const remembers = this.options.keyArgs === undefined && binding.atHand === undefined
    const known = remembers ? binding.names.get(args) : undefined
    if (known !== undefined) return known
    const printed = this.printed(args)
    if (printed instanceof CacheError) return printed
    const name = { printed, finished: binding.engine.names.finish(printed) }
    if (remembers) binding.names.remember(args, name)
    return name
  }

  private request(call: Call<A>, compute: Effect.Effect<A, E, R>): MemoRequest<A, E, R> {
    return {
      key: call.name.finished,
      printed: call.name.printed,
      groups: call.groups,
      policy: call.binding.policy,
      codec: call.binding.codec,
      meters: call.binding.meters,
      args: call.args,
      compute
    }
  }
}

const backendOf = (fiber: Fiber.RuntimeFiber<unknown, unknown>): CacheBackendService | undefined =>
  // The map is untyped; under this key stands this service, or nothing.
  fiber.currentContext.unsafeMap.get(CacheBackend.key) as CacheBackendService | undefined

/** What a generator is given whose `yield*` needs no operation of the runtime. */
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

/** So many answers are given in a row before other fibers have their turn: the runtime gives about as many. */
const answersInARow = 1_024

/**
 * The call of a memoized function. `yield*` asks it for its iterator on the fiber that runs the generator, and what is at
 * hand is given there and then: handing an operation to the runtime and getting its value back costs as much as all the
 * rest of a hit (measured: 0.46 of a hit of Effect's own `Cache` with it, 0.22 without). Everything else, and every call
 * outside a generator, is an operation like any other.
 */
class Lookup<A, E, R> extends Effectable.Class<A, E, R | CacheBackend> {
  constructor(
    private readonly lifted: Lifted<A, E, R>,
    private readonly receiver: unknown,
    private readonly args: Arguments
  ) {
    super()
  }

  override commit(): Effect.Effect<A, E, R | CacheBackend> {
    return Effect.withFiberRuntime<A, E, R | CacheBackend>((fiber) => {
      const hit = this.lifted.atHand(fiber, this.args)
      return hit === undefined
        ? this.lifted.lookup(fiber, this.receiver, this.args)
        : Effect.succeed(this.lifted.valueOf(hit))
    })
  }

  override [Symbol.iterator](): Effect.EffectGenerator<Effect.Effect<A, E, R | CacheBackend>> {
    const fiber = Fiber.getCurrentFiber()
    if (Option.isNone(fiber)) return super[Symbol.iterator]()
    if (this.lifted.isTimeToYield()) return Effect.zipRight(Effect.yieldNow(), this)[Symbol.iterator]()
    const hit = this.lifted.atHand(fiber.value, this.args)
    return hit === undefined ? super[Symbol.iterator]() : new Answer(this.lifted.valueOf(hit))
  }
}

type AnyMethod = (this: unknown, ...args: Arguments) => Effect.Effect<unknown, unknown, unknown>

/** How a memoized function is made again for one instance. */
const bound: unique symbol = Symbol.for("effect-cached/bound")

type Memoized = CachedFunction<unknown, Arguments, unknown, unknown, unknown> & {
  readonly [bound]: (self: unknown) => Memoized
}

/** @param self what the method is bound to; `undefined` takes the `this` of each call */
const memoized = (lifted: Lifted<unknown, unknown, unknown>, self?: { readonly value: unknown }): Memoized => {
  function call(this: unknown, ...args: Arguments) {
    return new Lookup(lifted, self === undefined ? this : self.value, args)
  }
  return Object.assign(call, {
    invalidate: (...args: Arguments) => lifted.invalidate(args),
    forceRecalc(this: unknown, ...args: Arguments) {
      const receiver = self === undefined ? (this === call ? undefined : this) : self.value
      return lifted.forceRecalc(receiver, args)
    },
    requireCache: (...args: Arguments) => lifted.requireCache(args),
    cacheKey: (...args: Arguments) => keyOrThrow(lifted.printed(args)),
    [bound]: (instance: unknown) => memoized(lifted, { value: instance })
  })
}

const keyOrThrow = (printed: string | CacheError): string => {
  if (printed instanceof CacheError) throw printed
  return printed
}

const liftFunction = (method: AnyMethod, options: CachedOptions<unknown, Arguments>): Memoized => {
  const name = escapeName(`${options.key}`)
  return memoized(
    new Lifted(
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
    const lifted = new Lifted<unknown, unknown, unknown>(
      options,
      () => name,
      () => effect
    )
    this.cacheKey = name
    this.run = new Lookup(lifted, undefined, [])
    this.invalidate = lifted.invalidate([])
    this.forceRecalc = lifted.forceRecalc(undefined, [])
    this.requireCache = lifted.requireCache([])
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
  const lifted = liftFunction(method, options)
  if (!context.private) {
    context.addInitializer(function (this: unknown) {
      // An initializer's `this` is the instance, or the class of a static method: an object either way.
      const instance = this as Record<PropertyKey, unknown>
      if (instance[context.name] !== lifted) return
      Object.defineProperty(instance, context.name, {
        value: lifted[bound](instance),
        configurable: true,
        enumerable: false,
        writable: true
      })
    })
  }
  return lifted
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
