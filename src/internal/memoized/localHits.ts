/** Hits in the memory of this process: without an operation of the runtime, and without a key where the entry is remembered. */
import { countsUnder } from "../entries/entryState.js"
import { versionIn } from "../entries/groupVersions.js"
import type { Name } from "../entries/keyspace.js"
import { type CallingFiber, nowMillis } from "../runtime/fiber.js"
import type { LocalEntry, LocalPart } from "../stores/Store.js"
import type { ArgumentMemory } from "./arguments/ArgumentMemory.js"

/** What a hit needs beside the remembered entry. */
export interface LocalHits {
  readonly local: LocalPart
  readonly groups: ReadonlyArray<string>
  readonly entries: ArgumentMemory<LocalEntry>
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
