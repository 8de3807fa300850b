/** What a memoized function keeps for each backend that it has met: its policy, codecs and counters there. */
import { type Effect, Either } from "effect"
import type { CacheBackendService } from "../../CacheBackend.js"
import type { CacheError } from "../../CacheError.js"
import type { Name } from "../entries/keyspace.js"
import { failureCodecFor, type ValueCodec } from "../entries/ValueCodec.js"
import { type Definition, policyOf } from "../readThrough/memoOptions.js"
import type { Policy } from "../readThrough/request.js"
import type { LocalEntry, LocalPart } from "../stores/Store.js"
import type { Counters } from "../telemetry/counters.js"
import type { Events } from "../telemetry/Events.js"
import { ArgumentMemory, type Arguments } from "./arguments/callArguments.js"
import type { FunctionText } from "./Definitions.js"
import { type Engine, engine } from "./engine.js"

/** What a hit in the memory of this process needs beside the remembered entry. */
export interface LocalHits {
  readonly local: LocalPart
  readonly groups: ReadonlyArray<string>
  readonly entries: ArgumentMemory<LocalEntry>
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
  /** A warning that the next call logs. */
  unsaid: Effect.Effect<void> | undefined
}

const rememberedNames = 10_000

/** The finished keys of the groups of a call. */
export const groupsOf = <A>(
  { keyspace }: Engine,
  { groups }: Definition<A, Arguments>,
  receiver: unknown,
  args: Arguments
): ReadonlyArray<string> | CacheError => {
  const names = typeof groups === "function" ? groups.call(receiver, ...args) : groups
  return Either.merge(keyspace.groups("cached", names))
}

const bind = <A, E>(
  backend: CacheBackendService,
  definition: Definition<A, Arguments>,
  name: string
): Binding<A, E> => {
  const backendEngine = backend[engine]
  const { local, payloads } = backendEngine.reader.store
  const { failureSchema, policy } = definition
  const groups =
    typeof definition.groups === "function" ? undefined : groupsOf(backendEngine, definition, undefined, [])
  const remembers =
    local !== undefined &&
    (payloads === "references" || local.near !== undefined) &&
    policy.earlyRefresh === 0 &&
    Array.isArray(groups)
  const counters = backendEngine.counters.of(name)
  return {
    backend,
    definition,
    engine: backendEngine,
    counters,
    events: counters.events,
    hitCounters: local?.near === undefined ? counters : counters.ofTier,
    codec: definition.codec(payloads),
    failureCodec:
      policy.failures === undefined
        ? undefined
        : // The schema is that of the function's errors: `CachedOptions` says so.
          (failureCodecFor(payloads, failureSchema) as ValueCodec<E>),
    policy: policyOf(definition, backendEngine.defaultTtl),
    groups,
    localHits: remembers ? { local, groups, entries: new ArgumentMemory(local.capacity) } : undefined,
    names: new ArgumentMemory(rememberedNames),
    unsaid: undefined
  }
}

/** What tells a function from another one under its key. */
interface Told {
  readonly definition: (() => FunctionText) | undefined
  readonly print: (args: Arguments) => string | CacheError
}

/** The bindings of one memoized function. */
export class Bindings<A, E> {
  private readonly made = new WeakMap<CacheBackendService, Binding<A, E>>()

  /** @param name the option `key`, or the name in it */
  constructor(
    private readonly definition: Either.Either<Definition<A, Arguments>, CacheError>,
    private readonly name: string,
    private readonly target: Told
  ) {}

  to(backend: CacheBackendService): Binding<A, E> | CacheError {
    const known = this.made.get(backend)
    if (known !== undefined) return known
    if (Either.isLeft(this.definition)) return this.definition.left
    const binding = bind<A, E>(backend, this.definition.right, this.name)
    binding.unsaid = this.sharedKey(binding.engine)
    this.made.set(backend, binding)
    return binding
  }

  /** A warning, if the layer serves another function under this key. */
  private sharedKey({ definitions, warnings }: Engine): Effect.Effect<void> | undefined {
    const { name, target } = this
    const definition = target.definition?.()
    const warning = definition === undefined ? undefined : definitions.add(`${target.print([])}`, name, definition)
    return warning === undefined ? undefined : warnings.warn(`Shared key ${name}`, () => warning)
  }
}
