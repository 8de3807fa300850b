/**
 * The versions of groups in the memory store, apart from the values, so that they push none of them out. A version that is evicted
 * costs misses only. Versions that no value has prolonged are in an LRU of their own: look-ups that store nothing push out only
 * each other's.
 */
import { LRUCache } from "lru-cache"
import type { MemoryEntry } from "./MemoryEntry.js"

/** Milliseconds: a version that no value has prolonged lives as long as a lease. */
const shortLived = 60_000

/** How many short-lived versions are kept at least: running computations need them. */
const leastShortLived = 10_000

export class Groups {
  private readonly lasting: LRUCache<string, MemoryEntry>
  private readonly fleeting: LRUCache<string, MemoryEntry>

  /** @param release called with each entry that is replaced, deleted or evicted */
  constructor(max: number, release: (entry: MemoryEntry) => void) {
    this.lasting = new LRUCache({ max, dispose: release })
    this.fleeting = new LRUCache({ max: Math.max(max, leastShortLived), dispose: release })
  }

  /** Counts as a use. */
  get(key: string): MemoryEntry | undefined {
    return this.lasting.get(key) ?? this.fleeting.get(key)
  }

  set(key: string, entry: MemoryEntry, now: number): void {
    const [to, other] =
      entry.expiresAt - now > shortLived ? [this.lasting, this.fleeting] : [this.fleeting, this.lasting]
    other.delete(key)
    to.set(key, entry)
  }

  delete(key: string): boolean {
    return this.lasting.delete(key) || this.fleeting.delete(key)
  }
}
