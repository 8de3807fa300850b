/**
 * A memoized function. Each of its calls finds its cache in its fiber, or it has one of its own. A hit in the memory of this
 * process is the hot path of the library: it looks up a remembered entry, compares times and counts.
 */
import { type Context, Effect, Either } from "effect"
import type { CacheBackend, CacheBackendService } from "../../CacheBackend.js"
import type { CachedOptions } from "../../CachedFunction.js"
import { CacheError, type NoCachedValue } from "../../CacheError.js"
import { countsUnder } from "../entries/entryState.js"
import { versionIn } from "../entries/groupVersions.js"
import { type Name, withContext } from "../entries/keyspace.js"
import { type Definition, define } from "../readThrough/memoOptions.js"
import { type CallingFiber, debugIsOn, nowMillis, serviceOf } from "../runtime/fiber.js"
import type { LocalEntry, LocalPart } from "../stores/Store.js"
import { type Arguments, type Parameters, withOwnMemory } from "./arguments/callArguments.js"
import { type Binding, Bindings, groupsOf } from "./Binding.js"
import { nameIn } from "./lifting/keyOption.js"
import { type Memoizable, Request } from "./Request.js"

/** After so many local hits other fibers have their turn. Effect lets a fiber run about as many operations. */
const hitsInARow = 1_024

const keyIsEmpty = new CacheError({
  reason: "InvalidKey",
  operation: "cached",
  description: "the option key must be a text that is not empty"
})

/** Of whatever name. `CacheBackend` stands for all of them in the types: what the users of a function see is its signature. */
export type CacheTag = Context.Tag<CacheBackend, CacheBackendService>

/** Where the calls find their cache: it is the one that made the function, or stands under the tag in their fiber. */
export interface CacheSource {
  readonly maker: CacheBackendService | undefined
  readonly tag: CacheTag
}

const localVersion = (local: LocalPart, group: string): string | undefined => versionIn(local.group(group))

/** Whether a call is answered with the payload of the entry, which counts as a use of it. */
export const isLocalHit = (
  fiber: CallingFiber,
  now: number,
  local: LocalPart,
  entry: LocalEntry,
  groups: ReadonlyArray<string>,
  codec: unknown
): boolean => {
  if (now >= entry.hitUntil || !countsUnder(entry.groups, groups, local, localVersion)) return false
  if (local.near !== undefined && !local.near.answers(fiber, entry, codec)) return false
  local.used(entry)
  return true
}

export class MemoizedFunction<A, E, R> {
  private readonly hasKey: boolean
  private readonly bindings: Bindings<A, E>
  private readonly parameters: Parameters
  private latest: Binding<A, E> | undefined
  private hits = 0

  constructor(
    private readonly options: CachedOptions<A, Arguments>,
    readonly target: Memoizable<A, E, R>,
    private readonly source: CacheSource,
    definition?: Either.Either<Definition<A, Arguments>, CacheError>
  ) {
    this.parameters = target.parameters
    // A caller in JavaScript may pass anything.
    const name: unknown = nameIn(options.key)
    this.hasKey = typeof name === "string" && name !== ""
    const checked = this.hasKey ? (definition ?? define("cached", options)) : Either.left(keyIsEmpty)
    this.bindings = new Bindings(checked, nameIn(options.key), target)
  }

  private cacheOf(fiber: CallingFiber): CacheBackendService | undefined {
    return this.source.maker ?? serviceOf(fiber, this.source.tag)
  }

  private withCache<B, E2, R2>(
    use: (backend: CacheBackendService) => Effect.Effect<B, E2, R2>
  ): Effect.Effect<B, E2, R2 | CacheBackend> {
    const { maker, tag } = this.source
    return Effect.flatMap(maker === undefined ? tag : Effect.succeed(maker), use)
  }

  /** The key as the user knows it, or the error if the arguments have no key. */
  printed(receiver: unknown, args: Arguments): string | CacheError {
    if (!this.hasKey) return keyIsEmpty
    const { keyArgs } = this.options
    return keyArgs === undefined
      ? this.target.print(this.parameters.seen(args))
      : this.target.printPicked(keyArgs.call(receiver, ...args))
  }

  /** The remembered entry, if a call is answered with its payload. */
  localHit(fiber: CallingFiber, args: Arguments): LocalEntry | undefined {
    const binding = this.latest
    if (binding?.localHits === undefined || binding.backend !== this.cacheOf(fiber)) return undefined
    const { entries, groups, local } = binding.localHits
    const entry = entries.get(this.parameters.seen(args))
    if (entry === undefined || !this.isHit(fiber, binding, local, entry, groups)) return undefined
    if (binding.events.isListened) this.tellHit(binding, args)
    return entry
  }

  /** Where `keyArgs` picks from a method's `this` no entry is remembered. */
  private tellHit(binding: Binding<A, E>, args: Arguments): void {
    const name = this.nameOf(binding, undefined, args)
    if (!(name instanceof CacheError)) binding.hitCounters.tell("hits", name)
  }

  lookup(fiber: CallingFiber, receiver: unknown, args: Arguments): Effect.Effect<A, E, R | CacheBackend> {
    const backend = this.cacheOf(fiber)
    // Without a cache the tag itself dies, and says what is missing.
    if (backend === undefined) return Effect.flatMap(this.source.tag, () => Effect.never)
    const request = this.request(backend, receiver, args)
    if (request instanceof CacheError) return Effect.die(withContext("cached", request))
    const answer = this.firstLocalHit(fiber, request) ?? request.binding.engine.readThrough.lookup(fiber, request)
    return this.withWarnings(request.binding, answer)
  }

  withWarnings<B, E2, R2>(binding: Binding<A, E>, answer: Effect.Effect<B, E2, R2>): Effect.Effect<B, E2, R2> {
    const { counters } = binding.engine
    if (binding.counters === counters.other) return Effect.zipRight(counters.warnTooManyNames, answer)
    const warning = binding.unsaid
    if (warning === undefined) return answer
    binding.unsaid = undefined
    return Effect.zipRight(warning, answer)
  }

  /** Whether other fibers should have their turn. Local hits bypass the runtime, which would yield by itself. */
  isTimeToYield(): boolean {
    return ++this.hits % hitsInARow === 0
  }

  /** The values of one key have one type: that of what the function computes. */
  valueOf(hit: LocalEntry): A {
    return hit.payload as A
  }

  forceRecalc(receiver: unknown, args: Arguments): Effect.Effect<A, E, R | CacheBackend> {
    return this.withCache((backend) => {
      const request = this.request(backend, receiver, args)
      return request instanceof CacheError
        ? Effect.die(withContext("forceRecalc", request))
        : request.binding.engine.readThrough.forceRecalc(request)
    })
  }

  requireCache(receiver: unknown, args: Arguments): Effect.Effect<A, NoCachedValue | CacheError, CacheBackend> {
    return this.withCache((backend) => {
      const request = this.request(backend, receiver, args)
      if (request instanceof CacheError) return Effect.fail(withContext("requireCache", request))
      return Effect.mapError(request.binding.engine.readThrough.requireCache(request), (error) =>
        error._tag === "CacheError" ? withContext("requireCache", error, request.printed) : error
      )
    })
  }

  invalidate(receiver: unknown, args: Arguments): Effect.Effect<void, CacheError, CacheBackend> {
    return this.withCache((backend) => {
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
    if (entry === undefined || !this.isHit(fiber, binding, local, entry, groups)) return undefined
    if (binding.events.isListened) binding.hitCounters.tell("hits", request)
    if (this.options.keyArgs === undefined) localHits?.entries.remember(this.parameters.seen(request.args), entry)
    return Effect.succeed(this.valueOf(entry))
  }

  /** Whether the entry answers the call, which is counted; the caller tells it. Never if debug logs are on: see `ReadThrough`. */
  private isHit(
    fiber: CallingFiber,
    binding: Binding<A, E>,
    local: LocalPart,
    entry: LocalEntry,
    groups: ReadonlyArray<string>
  ): boolean {
    if (debugIsOn(fiber) || !isLocalHit(fiber, nowMillis(fiber), local, entry, groups, binding.codec)) return false
    binding.hitCounters.add(fiber, "hits")
    return true
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
    return binding.groups ?? groupsOf(binding.engine, binding.definition, receiver, args)
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
    const binding = this.bindings.to(backend)
    if (!(binding instanceof CacheError)) this.latest = binding
    return binding
  }
}
