/**
 * A memoized function. Each of its calls finds its cache in its fiber, or it has one of its own. A local hit is the hot path of the library: it looks up
 * a remembered entry, compares times and counts.
 */
import { Effect, Either, type Option } from "effect"
import type { CacheBackend, CacheBackendService } from "../../CacheBackend.js"
import type { CachedOptions } from "../../CachedFunction.js"
import { CacheError, type NoCachedValue } from "../../CacheError.js"
import type { CachedValue } from "../../CacheStore.js"
import { type Name, withContext } from "../entries/keyspace.js"
import { failureCodecFor, type ValueCodec } from "../entries/ValueCodec.js"
import type { LoadedRequest } from "../readThrough/many/Loader.js"
import type { Member } from "../readThrough/many/Member.js"
import { type Definition, define, policyOf } from "../readThrough/memoOptions.js"
import type { Policy, Previous } from "../readThrough/request.js"
import type { AsyncContext } from "../runtime/asyncContext.js"
import { type CallingFiber, debugIsOn, nowMillis } from "../runtime/fiber.js"
import type { LocalEntry, LocalPart } from "../stores/Store.js"
import type { Counters } from "../telemetry/counters.js"
import type { Events } from "../telemetry/Events.js"
import type { Warnings } from "../telemetry/warnings.js"
import { ArgumentMemory, withOwnMemory } from "./arguments/ArgumentMemory.js"
import type { Arguments, Parameters } from "./arguments/Parameters.js"
import type { CacheSource } from "./CacheSource.js"
import type { FunctionText } from "./Definitions.js"
import { type Engine, engine } from "./engine.js"
import { nameIn } from "./lifting/keyOption.js"
import { type LocalHits, localValue } from "./localHits.js"

/** The function or the effect that is memoized, as its `MemoizedFunction` sees it. */
export interface Memoizable<A, E, R> {
  readonly parameters: Parameters
  /** The name and the text of the function. Two effects can't be told apart by their texts. */
  readonly definition: (() => FunctionText) | undefined
  /** The key of a call with these arguments. */
  readonly print: (args: Arguments) => string | CacheError
  /** The key of a call, from what `keyArgs` returned. */
  readonly printPicked: (picked: unknown) => string | CacheError
  readonly compute: (receiver: unknown, args: Arguments) => Effect.Effect<A, E, R>
}

/** What a memoized function remembers of one backend. */
export interface Binding<A, E> {
  readonly backend: CacheBackendService
  readonly definition: Definition<A, Arguments>
  readonly engine: Engine
  readonly counters: Counters
  /** Those of local hits: a tier has its own. */
  readonly hitCounters: Counters
  readonly events: Events
  readonly codec: ValueCodec<A>
  /** `undefined` where errors are not kept. */
  readonly failureCodec: ValueCodec<E> | undefined
  readonly policy: Policy<A>
  /** The finished keys of the groups; `undefined` if they depend on the arguments. */
  readonly groups: ReadonlyArray<string> | CacheError | undefined
  /** Set only for a local store with fixed groups and no early refresh: a hit then needs only the remembered entry. */
  readonly localHits: LocalHits | undefined
  /** The names of calls, where their entries can't be remembered. */
  readonly names: ArgumentMemory<Name>
}

/** One call, its key and groups finished. */
export class Request<A, E, R> implements LoadedRequest<A, E, R> {
  readonly key: string
  readonly policy: Policy<A>
  readonly codec: ValueCodec<A>
  readonly failureCodec: ValueCodec<E> | undefined
  readonly counters: Counters
  readonly warnings: Warnings
  asyncContext: AsyncContext | undefined
  previous: Previous<A> | undefined
  companion: Member<A, E, R> | undefined

  constructor(
    private readonly memoized: MemoizedFunction<A, E, R>,
    readonly binding: Binding<A, E>,
    readonly name: Name,
    readonly groups: ReadonlyArray<string>,
    readonly receiver: unknown,
    readonly args: Arguments
  ) {
    this.key = name.finished
    this.policy = binding.policy
    this.codec = binding.codec
    this.failureCodec = binding.failureCodec
    this.counters = binding.counters
    this.warnings = binding.engine.warnings
  }

  get printed(): string {
    return this.name.printed
  }

  get compute(): Effect.Effect<A, E, R> {
    return this.companion?.compute ?? Effect.suspend(() => this.memoized.target.compute(this.receiver, this.args))
  }

  get refresh(): ((previous: A) => Effect.Effect<Option.Option<A>, E, R>) | undefined {
    const { refresh } = this.binding.definition
    return refresh === undefined
      ? undefined
      : // The errors and requirements of `refresh` are those of the function: `CachedOptions` says so.
        (previous) =>
          Effect.suspend(
            () => refresh.call(this.receiver, previous, ...this.args) as Effect.Effect<Option.Option<A>, E, R>
          )
  }

  hasOtherKeyNow(): boolean {
    try {
      const printed = this.memoized.printed(this.receiver, this.args)
      return printed instanceof CacheError || this.binding.engine.keyspace.finish(printed) !== this.key
    } catch {
      // `keyArgs` throws now.
      return true
    }
  }
}

/** After so many local hits other fibers have their turn. Effect lets a fiber run about as many operations. */
const hitsInARow = 1_024

const rememberedNames = 10_000

const keyIsEmpty = new CacheError({
  reason: "InvalidKey",
  operation: "cached",
  description: "the option key must be a text that is not empty"
})

export class MemoizedFunction<A, E, R> {
  private readonly definition: Either.Either<Definition<A, Arguments>, CacheError>
  private readonly bindings = new WeakMap<CacheBackendService, Binding<A, E>>()
  private readonly parameters: Parameters
  private latest: Binding<A, E> | undefined
  private hits = 0
  /** A warning that the next call logs. */
  private unsaid: Effect.Effect<void> | undefined

  constructor(
    private readonly options: CachedOptions<A, Arguments>,
    readonly target: Memoizable<A, E, R>,
    private readonly source: CacheSource,
    definition?: Either.Either<Definition<A, Arguments>, CacheError>
  ) {
    this.parameters = target.parameters
    // A caller in JavaScript may pass anything.
    const name: unknown = nameIn(options.key)
    const valid = typeof name === "string" && name !== ""
    this.definition = valid ? (definition ?? define("cached", options)) : Either.left(keyIsEmpty)
  }

  /** The key as the user knows it, or the error if the arguments have no key. */
  printed(receiver: unknown, args: Arguments): string | CacheError {
    if (Either.isLeft(this.definition) && this.definition.left === keyIsEmpty) return keyIsEmpty
    const { keyArgs } = this.options
    return keyArgs === undefined
      ? this.target.print(this.parameters.seen(args))
      : this.target.printPicked(keyArgs.call(receiver, ...args))
  }

  /** A fresh value of a remembered entry. */
  localHit(fiber: CallingFiber, args: Arguments): CachedValue | undefined {
    const binding = this.latest
    if (binding?.localHits === undefined || binding.backend !== this.source.of(fiber)) return undefined
    const { entries, groups, local } = binding.localHits
    const entry = entries.get(this.parameters.seen(args))
    const hit = entry === undefined ? undefined : this.hit(fiber, binding, local, entry, groups)
    if (hit !== undefined && binding.events.isListened) this.tellHit(binding, args)
    return hit
  }

  /** Where `keyArgs` picks from a method's `this` no entry is remembered. */
  private tellHit(binding: Binding<A, E>, args: Arguments): void {
    const name = this.nameOf(binding, undefined, args)
    if (!(name instanceof CacheError)) binding.hitCounters.tell("hits", name)
  }

  lookup(fiber: CallingFiber, receiver: unknown, args: Arguments): Effect.Effect<A, E, R | CacheBackend> {
    const backend = this.source.of(fiber)
    if (backend === undefined) return Effect.flatMap(this.source.cache, () => Effect.never)
    const request = this.request(backend, receiver, args)
    if (request instanceof CacheError) return Effect.die(withContext("cached", request))
    const answer = this.firstLocalHit(fiber, request) ?? request.binding.engine.readThrough.lookup(fiber, request)
    return this.withWarnings(request.binding, answer)
  }

  withWarnings<B, E2, R2>(binding: Binding<A, E>, answer: Effect.Effect<B, E2, R2>): Effect.Effect<B, E2, R2> {
    const { counters } = binding.engine
    if (binding.counters === counters.other) return Effect.zipRight(counters.warnTooManyNames, answer)
    if (this.unsaid === undefined) return answer
    const warning = this.unsaid
    this.unsaid = undefined
    return Effect.zipRight(warning, answer)
  }

  /** Whether other fibers should have their turn. Local hits bypass the runtime, which would yield by itself. */
  isTimeToYield(): boolean {
    return ++this.hits % hitsInARow === 0
  }

  /** The values of one key have one type: that of what the function computes. */
  valueOf(hit: CachedValue): A {
    return hit.payload as A
  }

  forceRecalc(receiver: unknown, args: Arguments): Effect.Effect<A, E, R | CacheBackend> {
    return Effect.flatMap(this.source.cache, (backend) => {
      const request = this.request(backend, receiver, args)
      return request instanceof CacheError
        ? Effect.die(withContext("forceRecalc", request))
        : request.binding.engine.readThrough.forceRecalc(request)
    })
  }

  requireCache(receiver: unknown, args: Arguments): Effect.Effect<A, NoCachedValue | CacheError, CacheBackend> {
    return Effect.flatMap(this.source.cache, (backend) => {
      const request = this.request(backend, receiver, args)
      if (request instanceof CacheError) return Effect.fail(withContext("requireCache", request))
      return Effect.mapError(request.binding.engine.readThrough.requireCache(request), (error) =>
        error._tag === "CacheError" ? withContext("requireCache", error, request.printed) : error
      )
    })
  }

  invalidate(receiver: unknown, args: Arguments): Effect.Effect<void, CacheError, CacheBackend> {
    return Effect.flatMap(this.source.cache, (backend) => {
      const binding = this.bindingTo(backend)
      if (binding instanceof CacheError) return Effect.fail(withContext("invalidate", binding))
      // Groups that are a function of the arguments are not needed.
      const name = binding.groups instanceof CacheError ? binding.groups : this.nameOf(binding, receiver, args)
      if (name instanceof CacheError) return Effect.fail(withContext("invalidate", name))
      return Effect.mapError(Effect.asVoid(binding.engine.invalidation.keys([name])), (error) =>
        withContext("invalidate", error, name.printed)
      )
    })
  }

  /** A hit in a local store whose entry is not remembered yet. */
  firstLocalHit(fiber: CallingFiber, request: Request<A, E, R>): Effect.Effect<A> | undefined {
    const { binding, groups, key } = request
    const { localHits } = binding
    const { local, payloads } = binding.engine.reader.store
    if (local === undefined || binding.policy.earlyRefresh !== 0) return undefined
    // The bytes of a store are decoded below; a tier has the decoded value as well.
    if (payloads === "bytes" && local.near === undefined) return undefined
    const entry = local.find(key)
    const hit = entry === undefined ? undefined : this.hit(fiber, binding, local, entry, groups)
    if (entry === undefined || hit === undefined) return undefined
    if (binding.events.isListened) binding.hitCounters.tell("hits", request)
    if (this.options.keyArgs === undefined) localHits?.entries.remember(this.parameters.seen(request.args), entry)
    return Effect.succeed(this.valueOf(hit))
  }

  /** The fresh value of the entry, counted as a hit; the caller tells it. `undefined` if it is an error, or debug logs are on: see `ReadThrough`. */
  private hit(
    fiber: CallingFiber,
    binding: Binding<A, E>,
    local: LocalPart,
    entry: LocalEntry,
    groups: ReadonlyArray<string>
  ): CachedValue | undefined {
    if (debugIsOn(fiber)) return undefined
    const hit = localValue(fiber, nowMillis(fiber), local, entry, groups, binding.codec)
    if (hit !== undefined) binding.hitCounters.add(fiber, "hits")
    return hit
  }

  private request(backend: CacheBackendService, receiver: unknown, args: Arguments): Request<A, E, R> | CacheError {
    const binding = this.bindingTo(backend)
    if (binding instanceof CacheError) return binding
    const name = this.nameOf(binding, receiver, args)
    if (name instanceof CacheError) return name
    const groups = this.groupsIn(binding, receiver, args)
    return groups instanceof CacheError ? groups : new Request(this, binding, name, groups, receiver, args)
  }

  groupsIn(binding: Binding<A, E>, receiver: unknown, args: Arguments): ReadonlyArray<string> | CacheError {
    return binding.groups ?? this.groupsOf(binding.engine, binding.definition, receiver, args)
  }

  nameOf(binding: Binding<A, E>, receiver: unknown, args: Arguments): Name | CacheError {
    const seen = this.parameters.seen(args)
    const isPlain = this.options.keyArgs === undefined && binding.localHits === undefined
    const known = isPlain ? binding.names.get(seen) : undefined
    if (known !== undefined) return known
    const printed = this.printed(receiver, args)
    if (printed instanceof CacheError) return binding.engine.keyspace.showRefusal(printed)
    const remembers = isPlain && binding.names.takes(seen)
    const name = binding.engine.keyspace.nameOfCall(remembers ? withOwnMemory(printed) : printed)
    if (remembers) binding.names.remember(seen, name)
    return name
  }

  bindingTo(backend: CacheBackendService): Binding<A, E> | CacheError {
    if (this.latest?.backend === backend) return this.latest
    let binding = this.bindings.get(backend)
    if (binding === undefined) {
      if (Either.isLeft(this.definition)) return this.definition.left
      binding = this.bind(backend, this.definition.right)
      this.bindings.set(backend, binding)
    }
    this.latest = binding
    return binding
  }

  private bind(backend: CacheBackendService, definition: Definition<A, Arguments>): Binding<A, E> {
    const backendEngine = backend[engine]
    const { local, payloads } = backendEngine.reader.store
    this.unsaid = this.sharedKey(backendEngine) ?? this.unsaid
    const groups =
      typeof definition.groups === "function" ? undefined : this.groupsOf(backendEngine, definition, undefined, [])
    const remembers =
      local !== undefined &&
      (payloads === "references" || local.near !== undefined) &&
      definition.policy.earlyRefresh === 0 &&
      Array.isArray(groups)
    const counters = backendEngine.counters.of(nameIn(this.options.key))
    return {
      backend,
      definition,
      engine: backendEngine,
      counters,
      events: counters.events,
      hitCounters: local?.near === undefined ? counters : counters.ofTier,
      codec: definition.codec(payloads),
      failureCodec:
        definition.policy.failures === undefined
          ? undefined
          : // The schema is that of the function's errors: `CachedOptions` says so.
            (failureCodecFor(payloads, definition.failureSchema) as ValueCodec<E>),
      policy: policyOf(definition, backendEngine.defaultTtl),
      groups,
      localHits: remembers ? { local, groups, entries: new ArgumentMemory(local.capacity) } : undefined,
      names: new ArgumentMemory(rememberedNames)
    }
  }

  /** A warning, if the layer serves another function under this key. */
  private sharedKey({ definitions, warnings }: Engine): Effect.Effect<void> | undefined {
    const name = nameIn(this.options.key)
    const definition = this.target.definition?.()
    const warning = definition === undefined ? undefined : definitions.add(`${this.target.print([])}`, name, definition)
    return warning === undefined ? undefined : warnings.warn(`Shared key ${name}`, () => warning)
  }

  private groupsOf(
    backendEngine: Engine,
    definition: Definition<A, Arguments>,
    receiver: unknown,
    args: Arguments
  ): ReadonlyArray<string> | CacheError {
    const { groups } = definition
    const names = typeof groups === "function" ? groups.call(receiver, ...args) : groups
    return Either.merge(backendEngine.keyspace.groups("cached", names))
  }
}
