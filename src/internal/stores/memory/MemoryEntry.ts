/** An entry of the memory store. */
import { type Entry, expiresAt, type GroupVersion, type Token } from "../../../CacheStore.js"
import { hitUntil, type LocalEntry, noHit } from "../Store.js"
import type { Slotted } from "./Slots.js"

const noGroups: ReadonlyArray<GroupVersion> = []

/**
 * It is its own token, because each write makes a new object. It repeats what a hit reads of `entry`: with a million entries each
 * reference that is followed is a wait for the memory.
 */
export class MemoryEntry implements LocalEntry, Slotted {
  entry: Entry | undefined
  payload: unknown
  hitUntil: number
  groups: ReadonlyArray<GroupVersion>
  slot = -1

  constructor(
    readonly key: string,
    entry: Entry,
    /** The store's count of moves when this entry was last moved to the front of the LRU. */
    public movedAt: number
  ) {
    const { groups, value } = entry
    this.entry = entry
    this.payload = value?.payload
    this.hitUntil = value === undefined ? noHit : hitUntil(value.payload, value.freshUntil)
    this.groups = groups.length === 0 ? noGroups : groups
  }

  get token(): Token {
    return this
  }

  /** In milliseconds on the Clock. */
  get expiresAt(): number {
    return this.entry === undefined ? 0 : expiresAt(this.entry)
  }

  /** Called when the entry is replaced, removed or evicted: who remembers it must find no value. */
  clear(): void {
    this.entry = undefined
    this.payload = undefined
    this.hitUntil = noHit
    this.groups = noGroups
  }
}
