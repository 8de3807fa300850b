/**
 * The store in this process: an LRU of values beside a table of leases. Leases are few and short, one a running
 * computation; kept apart, no crowd of new values can evict the lease that keeps a stampede off.
 */
import { Clock, Effect, Option, type Scope } from "effect"
import { LRUCache } from "lru-cache"
import { CacheError } from "../../../CacheError.js"
import {
  type CachedValue,
  type CacheStore,
  type Entry,
  expiresAt,
  type GroupVersion,
  type Place,
  type RejectedItem,
  type StoredEntry,
  type Token
} from "../../../CacheStore.js"
import { backgroundSleep } from "../../runtime/eventLoop.js"
import { evictedFrom } from "../../runtime/evicted.js"
import { approximateBytes } from "./approximateBytes.js"

export interface MemoryStoreOptions {
  readonly maxEntries: number
  readonly maxBytes: number | undefined
  /** Keep bytes instead of references. */
  readonly copy: boolean
}

/** A record is its own token: a new write is a new object. */
class MemoryRecord implements StoredEntry {
  readonly expiresAt: number

  constructor(readonly entry: Entry) {
    this.expiresAt = expiresAt(entry)
  }

  get token(): Token {
    return this
  }
}

/**
 * What the LRU keeps. Whoever remembers it has a value at hand for as long as that stands, and keeps nothing alive after.
 * It repeats what a hit needs of the record: each step from object to object is a wait for memory.
 */
class MemoryPlace implements Place {
  record: MemoryRecord | undefined
  value: CachedValue | undefined
  readonly groups: ReadonlyArray<GroupVersion>

  constructor(
    readonly key: string,
    record: MemoryRecord,
    /** The count of moves at its last one to the front of the LRU. */
    public movedAt: number
  ) {
    this.record = record
    this.value = record.entry.value
    this.groups = record.entry.groups
  }

  vacate(): void {
    this.record = undefined
    this.value = undefined
  }
}

/** Small buffers are slices of a pool of Node's, all of which one of them would keep alive. */
const owning = (entry: Entry): Entry =>
  entry.value?.payload instanceof Uint8Array
    ? { ...entry, value: { ...entry.value, payload: new Uint8Array(entry.value.payload) } }
    : entry

const sweepEvery = "30 seconds"
/** So many records are looked at before other fibers have their turn. */
const sweepSlice = 1_000
const recordBytes = 150
/** An LRU of fewer records than this is exact. */
const exactBelow = 1_000

const evicted = evictedFrom("memory")

export const make = (options: MemoryStoreOptions): Effect.Effect<CacheStore, never, Scope.Scope> =>
  Effect.gen(function* () {
    let evictions = 0
    let moves = 0
    // A record in the half nearer to the front is not moved there at every use, which would cost most of a hit: no more
    // than what memcached does, where a record moves once a minute.
    const nearFront = options.maxEntries < exactBelow ? 0 : options.maxEntries >> 1
    const sizeOf = ({ record }: MemoryPlace, key: string): number =>
      recordBytes + key.length + approximateBytes(record?.entry.value?.payload)
    const values = new LRUCache<string, MemoryPlace>({
      max: options.maxEntries,
      ...(options.maxBytes === undefined ? {} : { maxSize: options.maxBytes, sizeCalculation: sizeOf }),
      dispose: (place, _key, reason) => {
        place.vacate()
        if (reason !== "evict") return
        evictions++
        evicted.unsafeUpdate(1, [])
      }
    })
    const leases = new Map<string, MemoryRecord>()

    const discard = (key: string): boolean => leases.delete(key) || values.delete(key)

    const moveToFront = (key: string): MemoryRecord | undefined => {
      const place = values.get(key)
      if (place === undefined) return undefined
      place.movedAt = ++moves
      return place.record
    }

    /** A lease can be read past its end: its computation may run on here, when a blocked event loop renews it late. */
    const readable = (key: string, now: number): MemoryRecord | undefined => {
      const record = moveToFront(key) ?? leases.get(key)
      if (record === undefined || now < record.expiresAt || record.entry.value === undefined) return record
      values.delete(key)
      return undefined
    }

    const isLive = (record: MemoryRecord | undefined, now: number): boolean =>
      record !== undefined && now < record.expiresAt

    const put = (key: string, entry: Entry, operation: string): Token | CacheError => {
      const record = new MemoryRecord(options.copy ? owning(entry) : entry)
      if (entry.value === undefined) {
        values.delete(key)
        leases.set(key, record)
        return record
      }
      leases.delete(key)
      const place = new MemoryPlace(key, record, ++moves)
      values.set(key, place)
      // The LRU drops silently what alone is over its size, and the value that was there before it.
      if (options.maxBytes !== undefined && !values.has(key)) {
        return new CacheError({
          reason: "TooLarge",
          operation,
          key,
          description: `the value takes about ${sizeOf(place, key)} bytes, the whole cache ${options.maxBytes}`
        })
      }
      return record
    }

    const putIf = (
      key: string,
      entry: Entry,
      operation: string,
      allowed: (record: MemoryRecord | undefined, now: number) => boolean
    ): Effect.Effect<Option.Option<Token>, CacheError> =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        if (!allowed(readable(key, now), now)) return Effect.succeed(Option.none())
        // A tombstone would only fill the table: where all is atomic nothing is as good.
        if (expiresAt(entry) <= now) {
          discard(key)
          return Effect.succeed(Option.some(new MemoryRecord(entry)))
        }
        const token = put(key, entry, operation)
        return token instanceof CacheError ? Effect.fail(token) : Effect.succeed(Option.some(token))
      })

    const sweep = Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      let looked = 0
      for (const table of [values, leases]) {
        for (const key of [...table.keys()]) {
          const record = table === values ? values.peek(key)?.record : leases.get(key)
          if (record !== undefined && record.expiresAt <= now) discard(key)
          if (++looked % sweepSlice === 0) yield* Effect.yieldNow()
        }
      }
    })
    yield* Effect.forkScoped(Effect.forever(Effect.zipRight(backgroundSleep(sweepEvery), sweep)))

    return {
      name: "memory",
      location: "process",
      payloads: options.copy ? "bytes" : "references",
      unsafeRead: readable,
      places: {
        find: (key) => values.peek(key),
        use: (place) => {
          // The places that this store gives out are its own.
          const { key, movedAt } = place as MemoryPlace
          if (moves - movedAt >= nearFront) moveToFront(key)
        }
      },
      read: (keys) => Effect.map(Clock.currentTimeMillis, (now) => keys.map((key) => readable(key, now))),
      write: (items) =>
        Effect.sync(() => {
          const rejected: Array<RejectedItem> = []
          for (const { key, entry } of items) {
            const token = put(key, entry, "write")
            if (token instanceof CacheError) rejected.push({ key, error: token })
          }
          return rejected
        }),
      add: (key, entry) => putIf(key, entry, "add", (record, now) => !isLive(record, now)),
      replace: (key, token, entry) =>
        putIf(key, entry, "replace", (record) => record !== undefined && record === token),
      remove: (keys) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          let removed = 0
          for (const key of keys) {
            if (isLive(readable(key, now), now)) removed++
            discard(key)
          }
          return removed
        }),
      clear: Effect.sync(() => {
        leases.clear()
        values.clear()
      }),
      size: Effect.sync(() => ({
        entries: Option.some(values.size),
        bytes: options.maxBytes === undefined ? Option.none() : Option.some(values.calculatedSize),
        evictions: Option.some(evictions)
      }))
    }
  })
