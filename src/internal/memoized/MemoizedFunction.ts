/**
 * A memoized function. Each of its calls takes the backend from its fiber. A local hit is the hot path of the library: it looks up
 * a remembered entry, compares times and counts.
 */
import { Effect, Either } from "effect"
import { CacheBackend, type CacheBackendService } from "../../CacheBackend.js"
import type { CachedOptions } from "../../CachedFunction.js"
import { CacheError, type NoCachedValue } from "../../CacheError.js"
import type { CachedValue } from "../../CacheStore.js"
import { type Engine, engine } from "../backend/engine.js"
import { freshUnder } from "../entries/entryState.js"
import { versionIn } from "../entries/groupVersions.js"
import { type Name, withContext } from "../entries/keyspace.js"
import { codecFor, type ValueCodec } from "../entries/ValueCodec.js"
import { type Definition, define, policyOf } from "../readThrough/memoOptions.js"
import type { MemoRequest, Policy } from "../readThrough/request.js"
import type { Counters } from "../runtime/counters.js"
import { type CallingFiber, debugIsOn, nowMillis, serviceOf } from "../runtime/fiber.js"
import type { Warnings } from "../runtime/warnings.js"
import type { LocalEntry, LocalPart } from "../stores/Store.js"
import { ArgumentMemory } from "./ArgumentMemory.js"
import { nameIn } from "./keyOption.js"

export type Arguments = ReadonlyArray<unknown>

/** What a memoized function remembers of one backend. */
interface Binding<A> {
  readonly backend: CacheBackendService
  readonly engine: Engine
  readonly counters: Counters
  readonly codec: ValueCodec<A>
  readonly policy: Policy<A>
  /** The finished keys of the groups; `undefined` if they depend on the arguments. */
  readonly groups: ReadonlyArray<string> | CacheError | undefined
  /** Set only for a local store with fixed groups and no early refresh: a hit then needs only the remembered entry. */
  readonly localHits: LocalHits | undefined
  /** The names of calls, where their entries can't be remembered. */
  readonly names: ArgumentMemory<Name>
}

interface LocalHits {
  readonly local: LocalPart
  readonly groups: ReadonlyArray<string>
  readonly entries: ArgumentMemory<LocalEntry>
}

/** One call, its key and groups finished. The Effect that computes is made only when it is needed. */
class Request<A, E, R> implements MemoRequest<A, E, R> {
  readonly key: string
  readonly policy: Policy<A>
  readonly codec: ValueCodec<A>
  readonly counters: Counters
  readonly warnings: Warnings

  constructor(
    readonly binding: Binding<A>,
    readonly name: Name,
    readonly groups: ReadonlyArray<string>,
    readonly args: Arguments,
    private readonly computing: (() => Effect.Effect<A, E, R>) | undefined
  ) {
    this.key = name.finished
    this.policy = binding.policy
    this.codec = binding.codec
    this.counters = binding.counters
    this.warnings = binding.engine.warnings
  }

  get printed(): string {
    return this.name.printed
  }

  get compute(): Effect.Effect<A, E, R> {
    return this.computing === undefined ? nothingToCompute : Effect.suspend(this.computing)
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

const localVersion = (local: LocalPart, group: string, now: number): string | undefined =>
  versionIn(local.read(group, now))

const nothingToCompute = Effect.dieMessage("this operation never computes")

const tooManyNames = ({ warnings }: Pick<MemoRequest<unknown, unknown, unknown>, "warnings">): Effect.Effect<void> =>
  warnings.warn(
    "names",
    () =>
      'This cache has met more than 1000 names of functions. The metrics of all further ones are under "other". A name must ' +
      'not hold an id: an effect that depends on one has the option key: ["city", id] instead of key: "city:" + id'
  )

export class MemoizedFunction<A, E, R> {
  private readonly definition: Either.Either<Definition<A, Arguments>, CacheError>
  private readonly bindings = new WeakMap<CacheBackendService, Binding<A>>()
  private latest: Binding<A> | undefined
  private hits = 0

  constructor(
    private readonly options: CachedOptions<A, Arguments>,
    private readonly print: (args: Arguments) => string | CacheError,
    private readonly compute: (receiver: unknown, args: Arguments) => Effect.Effect<A, E, R>
  ) {
    // A caller in JavaScript may pass anything.
    const name: unknown = nameIn(options.key)
    const valid = typeof name === "string" && name !== ""
    this.definition = valid ? define("cached", options) : Either.left(keyIsEmpty)
  }

  /** The key as the user knows it, or the error if the arguments have no key. */
  printed(args: Arguments): string | CacheError {
    if (Either.isLeft(this.definition) && this.definition.left === keyIsEmpty) return keyIsEmpty
    const { keyArgs } = this.options
    if (keyArgs === undefined) return this.print(args)
    const part = keyArgs(...args)
    return this.print(Array.isArray(part) ? part : [part])
  }

  /** A fresh value of a remembered entry. */
  localHit(fiber: CallingFiber, args: Arguments): CachedValue | undefined {
    const binding = this.latest
    if (binding?.localHits === undefined || binding.backend !== serviceOf(fiber, CacheBackend)) return undefined
    const { entries, groups, local } = binding.localHits
    const entry = entries.get(args)
    return entry === undefined ? undefined : this.hit(fiber, binding, local, entry, groups)
  }

  lookup(fiber: CallingFiber, receiver: unknown, args: Arguments): Effect.Effect<A, E, R | CacheBackend> {
    const backend = serviceOf(fiber, CacheBackend)
    if (backend === undefined) return Effect.flatMap(CacheBackend, () => Effect.never)
    const request = this.request(backend, args, () => this.compute(receiver, args))
    if (request instanceof CacheError) return Effect.die(withContext("cached", request))
    const answer = this.firstLocalHit(fiber, request) ?? request.binding.engine.readThrough.lookup(fiber, request)
    const { counters } = request.binding.engine
    return request.counters === counters.other ? Effect.zipRight(tooManyNames(request), answer) : answer
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
    return Effect.flatMap(CacheBackend, (backend) => {
      const request = this.request(backend, args, () => this.compute(receiver, args))
      return request instanceof CacheError
        ? Effect.die(withContext("forceRecalc", request))
        : request.binding.engine.readThrough.forceRecalc(request)
    })
  }

  requireCache(args: Arguments): Effect.Effect<A, NoCachedValue | CacheError, CacheBackend> {
    return Effect.flatMap(CacheBackend, (backend) => {
      const request = this.request(backend, args)
      if (request instanceof CacheError) return Effect.fail(withContext("requireCache", request))
      return Effect.mapError(request.binding.engine.readThrough.requireCache(request), (error) =>
        error._tag === "CacheError" ? withContext("requireCache", error, request.printed) : error
      )
    })
  }

  invalidate(args: Arguments): Effect.Effect<void, CacheError, CacheBackend> {
    return Effect.flatMap(CacheBackend, (backend) => {
      const request = this.request(backend, args)
      if (request instanceof CacheError) return Effect.fail(withContext("invalidate", request))
      return Effect.mapError(Effect.asVoid(request.binding.engine.invalidation.keys([request.name])), (error) =>
        withContext("invalidate", error, request.printed)
      )
    })
  }

  /** A hit in a local store whose entry is not remembered yet. */
  private firstLocalHit(fiber: CallingFiber, request: Request<A, E, R>): Effect.Effect<A> | undefined {
    const { binding, groups, key } = request
    const { localHits } = binding
    const { local, payloads } = binding.engine.reader.store
    if (local === undefined || payloads === "bytes" || binding.policy.earlyRefresh !== 0) return undefined
    const entry = local.find(key)
    const hit = entry === undefined ? undefined : this.hit(fiber, binding, local, entry, groups)
    if (entry === undefined || hit === undefined) return undefined
    if (this.options.keyArgs === undefined) localHits?.entries.remember(request.args, entry)
    return Effect.succeed(this.valueOf(hit))
  }

  /** The fresh value of the entry, counted as a hit. `undefined` if debug logs are on: `ReadThrough` then logs the hit. */
  private hit(
    fiber: CallingFiber,
    binding: Binding<A>,
    local: LocalPart,
    entry: LocalEntry,
    groups: ReadonlyArray<string>
  ): CachedValue | undefined {
    const now = nowMillis(fiber)
    const hit = freshUnder(entry.value, entry.groups, groups, now, local, localVersion)
    if (hit === undefined || debugIsOn(fiber)) return undefined
    local.used(entry)
    binding.counters.countOn(fiber, "hits")
    return hit
  }

  private request(
    backend: CacheBackendService,
    args: Arguments,
    computing?: () => Effect.Effect<A, E, R>
  ): Request<A, E, R> | CacheError {
    const definition = this.definition
    if (Either.isLeft(definition)) return definition.left
    const binding = this.bindingTo(backend, definition.right)
    const name = this.nameOf(binding, args)
    if (name instanceof CacheError) return name
    const groups = binding.groups ?? this.groupsOf(binding.engine, definition.right, args)
    return groups instanceof CacheError ? groups : new Request(binding, name, groups, args, computing)
  }

  private nameOf(binding: Binding<A>, args: Arguments): Name | CacheError {
    const remembers = this.options.keyArgs === undefined && binding.localHits === undefined
    const known = remembers ? binding.names.get(args) : undefined
    if (known !== undefined) return known
    const printed = this.printed(args)
    if (printed instanceof CacheError) return printed
    const name = binding.engine.keyspace.nameOfCall(printed)
    if (remembers) binding.names.remember(args, name)
    return name
  }

  private bindingTo(backend: CacheBackendService, definition: Definition<A, Arguments>): Binding<A> {
    if (this.latest?.backend === backend) return this.latest
    let binding = this.bindings.get(backend)
    if (binding === undefined) {
      binding = this.bind(backend, definition)
      this.bindings.set(backend, binding)
    }
    this.latest = binding
    return binding
  }

  private bind(backend: CacheBackendService, definition: Definition<A, Arguments>): Binding<A> {
    const backendEngine = backend[engine]
    const { local, payloads } = backendEngine.reader.store
    const groups = typeof definition.groups === "function" ? undefined : this.groupsOf(backendEngine, definition, [])
    const remembers =
      local !== undefined && payloads === "references" && definition.policy.earlyRefresh === 0 && Array.isArray(groups)
    return {
      backend,
      engine: backendEngine,
      counters: backendEngine.counters.of(nameIn(this.options.key)),
      codec: codecFor(payloads, definition.schema),
      policy: policyOf(definition, backendEngine.defaultTtl),
      groups,
      localHits: remembers ? { local, groups, entries: new ArgumentMemory(local.capacity) } : undefined,
      names: new ArgumentMemory(rememberedNames)
    }
  }

  private groupsOf(
    backendEngine: Engine,
    definition: Definition<A, Arguments>,
    args: Arguments
  ): ReadonlyArray<string> | CacheError {
    const names = typeof definition.groups === "function" ? definition.groups(...args) : definition.groups
    return Either.merge(backendEngine.keyspace.groups("cached", names))
  }
}
