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
  // An LRU takes the memory for all that it can hold when it is made, and many caches have no groups.
  private lasting: LRUCache<string, MemoryEntry> | undefined
  private fleeting: LRUCache<string, MemoryEntry> | undefined

  /** @param release called with each entry that is replaced, deleted or evicted */
  constructor(
    private readonly max: number,
    private readonly release: (entry: MemoryEntry) => void
  ) {}

  /** Counts as a use. */
  get(key: string): MemoryEntry | undefined {
    return this.lasting?.get(key) ?? this.fleeting?.get(key)
  }

  set(key: string, entry: MemoryEntry, now: number): void {
    if (entry.expiresAt - now > shortLived) {
      this.fleeting?.delete(key)
      this.lasting ??= this.lru(this.max)
      this.lasting.set(key, entry)
    } else {
      this.lasting?.delete(key)
      this.fleeting ??= this.lru(Math.max(this.max, leastShortLived))
      this.fleeting.set(key, entry)
    }
  }

  delete(key: string): boolean {
    return this.lasting?.delete(key) === true || this.fleeting?.delete(key) === true
  }

  private lru(max: number): LRUCache<string, MemoryEntry> {
    return new LRUCache({ max, dispose: this.release })
  }
}
