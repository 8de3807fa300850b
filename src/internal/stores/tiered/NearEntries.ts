/** The copies in this process's memory: an LRU of entries with a fresh value and without a lease. */
import { LRUCache } from "lru-cache"
import type { Entry, Token } from "../../../CacheStore.js"
import { evictedFrom } from "../../telemetry/metrics.js"
import { NearEntry } from "./NearEntry.js"
import type { TierToken } from "./TierToken.js"

export interface NearLimits {
  readonly maxEntries: number
  /** About, in bytes. */
  readonly maxBytes: number | undefined
}

/** About what a copy without its key and payload takes in the heap. */
const entryBytes = 200

const evicted = evictedFrom("tier")

/**
 * A payload is a view of what the driver has received, all of which it would keep alive. The decoded value counts as much again.
 */
const withOwnMemory = (entry: Entry): Entry =>
  entry.value?.payload instanceof Uint8Array
    ? { ...entry, value: { ...entry.value, payload: new Uint8Array(entry.value.payload) } }
    : entry

const sizeOf = ({ entry, key }: NearEntry): number => {
  const payload = entry?.value?.payload
  return entryBytes + key.length + (payload instanceof Uint8Array ? 2 * payload.byteLength : 0)
}

/** Leases, stale values and tombstones always come from below. */
const isKept = (entry: Entry | undefined, now: number): entry is Entry =>
  entry?.value !== undefined && entry.lease === undefined && now < entry.value.freshUntil

export class NearEntries {
  private readonly entries: LRUCache<string, NearEntry>
  private uses = 0

  constructor(
    { maxBytes, maxEntries }: NearLimits,
    private readonly sameToken: (one: Token, other: Token) => boolean
  ) {
    this.entries = new LRUCache({
      max: maxEntries,
      ...(maxBytes === undefined ? {} : { maxSize: maxBytes, sizeCalculation: sizeOf }),
      dispose: (entry, _key, reason) => {
        if (reason !== "set") entry.clear()
        if (reason === "evict") evicted.unsafeUpdate(1, [])
      }
    })
  }

  /** The copy, whatever its age. */
  peek(key: string): NearEntry | undefined {
    return this.entries.peek(key)
  }

  keys(): Iterable<string> {
    return this.entries.keys()
  }

  /** Counts a use, one of eight: to count each takes a fifth of a hit, and what is used often is counted often enough. */
  used({ key }: NearEntry): void {
    if ((++this.uses & 7) === 0) this.entries.get(key)
  }

  /** The copy if it may answer: its value is fresh, and the store below said so less than `maxStaleness` ago. */
  current(key: string, now: number, monotonic: number): NearEntry | undefined {
    const entry = this.entries.get(key)
    return entry !== undefined && monotonic < entry.currentUntil && now < entry.freshUntil ? entry : undefined
  }

  /** The copy of a group's version if it is not too old. The store below decides when a version ends. */
  group(key: string, monotonic: number): NearEntry | undefined {
    const entry = this.entries.peek(key)
    if (entry === undefined || monotonic >= entry.currentUntil) return undefined
    this.used(entry)
    return entry
  }

  /**
   * The answer to a read, whole or not at all. With a part of it from below, an entry could meet the version of its group from
   * before or after: that would be a miss or a lease without a reason.
   */
  whole(keys: ReadonlyArray<string>, now: number, monotonic: number): ReadonlyArray<NearEntry> | undefined {
    const found: Array<NearEntry> = []
    for (const key of keys) {
      const entry = this.current(key, now, monotonic)
      if (entry === undefined) return undefined
      found.push(entry)
    }
    return found
  }

  /** Keeps what the store below has answered. A copy with the same token stays, with its decoded value, and is current again. */
  keep(
    key: string,
    token: TierToken,
    entry: Entry | undefined,
    now: number,
    currentUntil: number
  ): NearEntry | undefined {
    if (!isKept(entry, now)) {
      this.drop(key)
      return undefined
    }
    const known = this.entries.peek(key)
    if (known !== undefined && this.sameToken(known.token.lower, token.lower)) {
      known.currentUntil = Math.max(known.currentUntil, currentUntil)
      return known
    }
    known?.clear()
    const kept = new NearEntry(key, token, withOwnMemory(entry), currentUntil)
    this.entries.set(key, kept)
    return kept
  }

  drop(key: string): void {
    this.entries.delete(key)
  }

  dropAll(): void {
    this.entries.clear()
  }
}
