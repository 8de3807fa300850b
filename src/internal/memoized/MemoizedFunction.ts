/**
 * All calls of one memoized function, in whatever backend. One that hits a store of references is the hot path of the
 * library: a remembered place, a comparison of times, a counter.
 */
import { Effect, Either, type Fiber } from "effect"
import { CacheBackend, type CacheBackendService } from "../../CacheBackend.js"
import type { CachedOptions } from "../../CachedFunction.js"
import { CacheError, type NoCachedValue } from "../../CacheError.js"
import type { CachedValue, Place } from "../../CacheStore.js"
import { type Engine, engine } from "../backend/engine.js"
import type { ValueCodec } from "../entries/EntryReader.js"
import { during, type Name } from "../entries/keyspace.js"
import { type Definition, define, policyOf } from "../readThrough/memoOptions.js"
import type { MemoRequest, Policy } from "../readThrough/request.js"
import { debugIsOn, type Meters, nowMillis } from "../runtime/instruments.js"
import { ArgumentMemory } from "./ArgumentMemory.js"

export type Arguments = ReadonlyArray<unknown>

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

/**
 * A call with everything about it settled; its computation is put together only when it is wanted. A class for the reason
 * that `Waiter` in gather.ts is one.
 */
class Call<A, E, R> implements MemoRequest<A, E, R> {
  readonly key: string
  readonly printed: string
  readonly policy: Policy<A>
  readonly codec: ValueCodec<A>
  readonly meters: Meters

  constructor(
    readonly binding: Binding<A>,
    readonly name: Name,
    readonly groups: ReadonlyArray<string>,
    readonly args: Arguments,
    private readonly computing: (() => Effect.Effect<A, E, R>) | undefined
  ) {
    this.key = name.finished
    this.printed = name.printed
    this.policy = binding.policy
    this.codec = binding.codec
    this.meters = binding.meters
  }

  get compute(): Effect.Effect<A, E, R> {
    return this.computing === undefined ? nothingToCompute : Effect.suspend(this.computing)
  }
}

const rememberedNames = 20_000

/** So many answers are given in a row before other fibers have their turn: the runtime gives about as many. */
const answersInARow = 1_024

const isVacant = (place: Place): boolean => place.value === undefined

const keyIsEmpty = new CacheError({
  reason: "InvalidKey",
  operation: "cached",
  description: "the option key must be a text that is not empty"
})

const nothingToCompute = Effect.dieMessage("this operation never computes")

const backendOf = (fiber: Fiber.RuntimeFiber<unknown, unknown>): CacheBackendService | undefined =>
  // The map is untyped; under this key stands this service, or nothing.
  fiber.currentContext.unsafeMap.get(CacheBackend.key) as CacheBackendService | undefined

export class MemoizedCalls<A, E, R> {
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
    const call = this.prepare(backend, args, () => this.compute(receiver, args))
    if (call instanceof CacheError) return Effect.die(during("cached", call))
    const { binding, groups, name, policy } = call
    const place = policy.earlyRefresh === 0 ? binding.engine.records.places?.find(name.finished) : undefined
    const hit = place === undefined ? undefined : this.hit(fiber, binding, place, groups)
    if (place !== undefined && hit !== undefined) {
      if (this.options.keyArgs === undefined) binding.atHand?.places.remember(args, place)
      return Effect.succeed(this.valueOf(hit))
    }
    return binding.engine.memoizer.lookup(fiber, call)
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
      const call = this.prepare(backend, args, () => this.compute(receiver, args))
      return call instanceof CacheError
        ? Effect.die(during("forceRecalc", call))
        : call.binding.engine.memoizer.forceRecalc(call)
    })
  }

  requireCache(args: Arguments): Effect.Effect<A, NoCachedValue | CacheError, CacheBackend> {
    return Effect.flatMap(CacheBackend, (backend) => {
      const call = this.prepare(backend, args)
      if (call instanceof CacheError) return Effect.fail(during("requireCache", call))
      return Effect.mapError(call.binding.engine.memoizer.requireCache(call), (error) =>
        error._tag === "CacheError" ? during("requireCache", error, call.name.printed) : error
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

  private prepare(
    backend: CacheBackendService,
    args: Arguments,
    computing?: () => Effect.Effect<A, E, R>
  ): Call<A, E, R> | CacheError {
    const definition = this.definition
    if (Either.isLeft(definition)) return definition.left
    const binding = this.bindingTo(backend, definition.right)
    const name = this.nameOf(binding, args)
    if (name instanceof CacheError) return name
    const groups = binding.groups ?? this.groupsOf(binding.engine, definition.right, args)
    if (groups instanceof CacheError) return groups
    return new Call(binding, name, groups, args, computing)
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
            : { groups, places: new ArgumentMemory(Number.POSITIVE_INFINITY, isVacant) }
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
}
