/** Hits in the memory of this process: without an operation of the runtime, and without a key where the entry is remembered. */
import type { CachedValue } from "../../CacheStore.js"
import { freshUnder } from "../entries/entryState.js"
import { versionIn } from "../entries/groupVersions.js"
import type { Name } from "../entries/keyspace.js"
import { type CallingFiber, nowMillis } from "../runtime/fiber.js"
import type { LocalEntry, LocalPart } from "../stores/Store.js"
import { absent } from "../values/absent.js"
import { KeptFailure } from "../values/failure.js"
import type { ArgumentMemory } from "./arguments/ArgumentMemory.js"

/** What a hit needs beside the remembered entry. */
export interface LocalHits {
  readonly local: LocalPart
  readonly groups: ReadonlyArray<string>
  readonly entries: ArgumentMemory<LocalEntry>
}

const localVersion = (local: LocalPart, group: string): string | undefined => versionIn(local.group(group))

/**
 * The fresh value of the entry, which counts as a use of it. `undefined` also where that is an error or known to be absent, or is not
 * decoded yet.
 */
export const localValue = (
  fiber: CallingFiber,
  now: number,
  local: LocalPart,
  entry: LocalEntry,
  groups: ReadonlyArray<string>,
  codec: unknown
): CachedValue | undefined => {
  const value = freshUnder(entry.value, entry.groups, groups, now, local, localVersion)
  if (value === undefined || value.payload instanceof KeptFailure || value.payload === absent) return undefined
  if (local.near !== undefined && !local.near.answers(fiber, entry, codec)) return undefined
  local.used(entry)
  return value
}

/** The values of those of the keys that are hits, and the other keys. The caller counts and tells the hits. */
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
  const valueIn = (entry: LocalEntry | undefined): CachedValue | undefined =>
    entry === undefined ? undefined : localValue(fiber, now, local, entry, groups, codec)
  for (const key of keys) {
    const args = [key]
    let value = valueIn(entries.get(args))
    if (value === undefined && entries.takes(args)) {
      const name = nameOf(key)
      const entry = name === undefined ? undefined : local.find(name.finished)
      value = valueIn(entry)
      if (entry !== undefined && value !== undefined) entries.remember(args, entry)
    }
    if (value === undefined) rest.push(key)
    else values.set(key, value.payload)
  }
  return { values, rest }
}
