/** The keys of one call of a memoized function of many keys: equal ones are asked for once. */
import { CacheError } from "../../CacheError.js"
import type { Name } from "../entries/keyspace.js"
import type { ManyKeys } from "../readThrough/many/ManyKeys.js"
import { unanswered } from "../readThrough/many/ManyReads.js"
import { type CallingFiber, nowMillis } from "../runtime/fiber.js"
import type { LocalEntry } from "../stores/Store.js"
import { absent } from "../values/absent.js"
import type { Binding, LocalHits } from "./Binding.js"
import { isLocalHit, type MemoizedFunction } from "./MemoizedFunction.js"
import { Request } from "./Request.js"

export type Keys = ReadonlyArray<unknown>
export type Values = ReadonlyMap<unknown, unknown>

export type Requested = Request<unknown, unknown, unknown>

/** What a call asks for. */
export interface AskedKeys extends ManyKeys<unknown, Requested> {
  readonly keys: Keys
  readonly binding: Binding<unknown, unknown>
  /** The place of each key: equal keys have the same. */
  readonly places: ReadonlyArray<number>
}

/** The keys with their names and groups, or the error if one of them has no name. */
export const ask = (
  memoized: MemoizedFunction<unknown, unknown, unknown>,
  binding: Binding<unknown, unknown>,
  keys: Keys
): AskedKeys | CacheError => {
  const { codec, counters, policy } = binding
  const names: Array<Name> = []
  const args: Array<ReadonlyArray<unknown>> = []
  const groups: Array<ReadonlyArray<string>> = []
  const places: Array<number> = []
  const known = new Map<string, number>()
  for (const key of keys) {
    const call = [key]
    const name = memoized.nameOf(binding, undefined, call)
    if (name instanceof CacheError) return name
    let place = known.get(name.finished)
    if (place === undefined) {
      const own = memoized.groupsIn(binding, undefined, call)
      if (own instanceof CacheError) return own
      place = names.push(name) - 1
      known.set(name.finished, place)
      args.push(call)
      groups.push(own)
    }
    places.push(place)
  }
  return {
    // A copy: the caller may change its array while the values are read or loaded.
    keys: [...keys],
    binding,
    places,
    names,
    groups,
    codec,
    counters,
    refreshesEarly: policy.earlyRefresh !== 0,
    // The arrays have an element for each place.
    requestAt: (place) =>
      new Request(memoized, binding, names[place] as Name, groups[place] ?? [], undefined, args[place] ?? [])
  }
}

/** The values by the caller's own keys, in their order. */
export const byKey = ({ keys, places }: AskedKeys, values: ReadonlyArray<unknown>): Values => {
  const map = new Map<unknown, unknown>()
  for (let index = 0; index < keys.length; index++) {
    const value = values[places[index] ?? -1]
    if (value !== absent && value !== unanswered) map.set(keys[index], value)
  }
  return map
}

/**
 * The values of those of the keys that are hits in the memory of this process, and the other keys. The caller counts and tells the
 * hits.
 */
export interface LocalValues {
  readonly values: Map<unknown, unknown>
  readonly rest: Array<unknown>
}

/**
 * The hits of many calls, each with one of the keys.
 *
 * @param nameOf `undefined` where a key can't be printed
 */
export const localValues = (
  fiber: CallingFiber,
  { entries, groups, local }: LocalHits,
  codec: unknown,
  keys: ReadonlyArray<unknown>,
  nameOf: (key: unknown) => Name | undefined
): LocalValues => {
  const values = new Map<unknown, unknown>()
  const rest: Array<unknown> = []
  const now = nowMillis(fiber)
  const hitOf = (entry: LocalEntry | undefined): LocalEntry | undefined =>
    entry !== undefined && isLocalHit(fiber, now, local, entry, groups, codec) ? entry : undefined
  for (const key of keys) {
    const args = [key]
    let hit = hitOf(entries.get(args))
    if (hit === undefined && entries.takes(args)) {
      const name = nameOf(key)
      hit = name === undefined ? undefined : hitOf(local.find(name.finished))
      if (hit !== undefined) entries.remember(args, hit)
    }
    if (hit === undefined) rest.push(key)
    else values.set(key, hit.payload)
  }
  return { values, rest }
}

/** The values of `byKey`, of what was found in the memory of this process and of the rest. */
export const merged = (keys: Keys, local: Values, rest: Values): Values => {
  const map = new Map<unknown, unknown>()
  for (const key of keys) {
    const from = local.has(key) ? local : rest
    if (from.has(key)) map.set(key, from.get(key))
  }
  return map
}
