/** An entry of the memory store. */
import { type CachedValue, type Entry, expiresAt, type GroupVersion, type Token } from "../../../CacheStore.js"
import type { LocalEntry } from "../Store.js"
import type { Slotted } from "./Slots.js"

const noGroups: ReadonlyArray<GroupVersion> = []

/**
 * It is its own token, because each write makes a new object. It repeats the members of `entry` that a hit reads: following one
 * reference less makes the hit faster.
 */
export class MemoryEntry implements LocalEntry, Slotted {
  entry: Entry | undefined
  value: CachedValue | undefined
  groups: ReadonlyArray<GroupVersion>
  readonly expiresAt: number
  slot = -1

  constructor(
    readonly key: string,
    entry: Entry,
    /** The store's count of moves when this entry was last moved to the front of the LRU. */
    public movedAt: number
  ) {
    this.entry = entry
    this.value = entry.value
    this.groups = entry.groups
    this.expiresAt = expiresAt(entry)
  }

  get token(): Token {
    return this
  }

  /** Called when the entry is replaced, removed or evicted: who remembers it must find no value. */
  clear(): void {
    this.entry = undefined
    this.value = undefined
    this.groups = noGroups
  }
}
