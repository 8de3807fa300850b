/** What a memoized function keeps for each backend that it has met: its policy, codecs and counters there. */
import { Either } from "effect"
import type { CacheBackendService } from "../../CacheBackend.js"
import type { CacheError } from "../../CacheError.js"
import type { Name } from "../entries/keyspace.js"
import { failureCodecFor, type ValueCodec } from "../entries/ValueCodec.js"
import { type Definition, policyOf } from "../readThrough/memoOptions.js"
import type { Policy } from "../readThrough/request.js"
import type { Counters } from "../telemetry/counters.js"
import type { Events } from "../telemetry/Events.js"
import { ArgumentMemory } from "./arguments/ArgumentMemory.js"
import type { Arguments } from "./arguments/Parameters.js"
import { type Engine, engine } from "./engine.js"
import type { LocalHits } from "./localHits.js"

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

/** @param name the option `key`, or the name in it */
export const bind = <A, E>(
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
    names: new ArgumentMemory(rememberedNames)
  }
}
