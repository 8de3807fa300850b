/** What the memory store keeps under a key. */
import { type CachedValue, type Entry, expiresAt, type GroupVersion, type Token } from "../../../CacheStore.js"
import type { LocalEntry } from "../Store.js"
import type { Slotted } from "./Slots.js"

/**
 * It is its own token: a new write is a new object. It repeats what a hit needs of its `entry`: each step from object to
 * object is a wait for memory.
 */
export class MemoryEntry implements LocalEntry, Slotted {
  entry: Entry | undefined
  value: CachedValue | undefined
  readonly groups: ReadonlyArray<GroupVersion>
  readonly expiresAt: number
  slot = -1

  constructor(
    readonly key: string,
    entry: Entry,
    /** The count of moves when it last moved to the front of the LRU. */
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

  /** It stands no more under its key. */
  clear(): void {
    this.entry = undefined
    this.value = undefined
  }
}
