/**
 * The store in this process: an LRU of values, the versions of groups, and a table of leases without a value. So neither
 * groups nor leases can push out values, and new values can't evict a lease that prevents a stampede. Leases are few, one for each
 * running computation.
 */
import { Clock, Effect, Either, Option, type Scope } from "effect"
import { LRUCache } from "lru-cache"
import { CacheError } from "../../../CacheError.js"
import { type Entry, expiresAt, type RejectedItem, type StoredEntry, type Token } from "../../../CacheStore.js"
import { isGroupKey } from "../../keys/finishKey.js"
import { backgroundSleep, eventLoopTurn } from "../../runtime/eventLoop.js"
import { nowMillis } from "../../runtime/fiber.js"
import { evictedFrom } from "../../telemetry/metrics.js"
import { withoutMessage } from "../../values/withoutMessage.js"
import type { Store } from "../Store.js"
import { bytesOf, entryBytes } from "./entrySize.js"
import { Groups } from "./Groups.js"
import { MemoryEntry } from "./MemoryEntry.js"
import { Slots } from "./Slots.js"

export interface MemoryStoreOptions {
  readonly maxEntries: number
  readonly maxBytes: number | undefined
  /** Keep bytes instead of references. */
  readonly copy: boolean
}

/** Copies the payload: a small Buffer is a slice of Node's pool, and would keep the whole pool alive. */
const withOwnMemory = (entry: Entry): Entry =>
  entry.value?.payload instanceof Uint8Array
    ? { ...entry, value: { ...entry.value, payload: new Uint8Array(entry.value.payload) } }
    : entry

const sweepEvery = "30 seconds"
/** How many entries the sweep checks in one turn of the event loop. */
const sweepSlice = 1_000
/** With fewer entries than this the LRU is exact; `nearFront` says what a larger one does. */
const exactBelow = 1_000

const evicted = evictedFrom("memory")

export const make = (options: MemoryStoreOptions): Effect.Effect<Store, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { copy, maxBytes } = options
    // As many entries as there can be: what is bounded by it need not be larger.
    const maxEntries = Math.min(options.maxEntries, Math.ceil((maxBytes ?? Number.POSITIVE_INFINITY) / entryBytes))
    let evictions = 0
    let moves = 0
    const newLru = () =>
      new LRUCache<string, MemoryEntry>({
        max: maxEntries,
        ...(maxBytes === undefined ? {} : { maxSize: maxBytes }),
        dispose: (entry, _key, reason) => {
          release(entry)
          if (reason !== "evict") return
          evictions++
          evicted.unsafeUpdate(1, [])
        }
      })
    let values = newLru()
    /** How many entries fit, as large as they are now. */
    const room = (): number =>
      maxBytes === undefined || values.calculatedSize === 0
        ? maxEntries
        : Math.min(maxEntries, (maxBytes * values.size) / values.calculatedSize)
    /** In a large LRU, a use moves an entry to the front only from the rear half: a move costs more than the rest of a hit. */
    const nearFront = (): number => {
      const entries = room()
      return entries < exactBelow ? 0 : entries / 2
    }
    const newGroups = () => new Groups(options.maxEntries, (entry) => release(entry))
    let groups = newGroups()
    const leases = new Map<string, MemoryEntry>()
    /** All entries, for the sweep. */
    const stored = new Slots<MemoryEntry>()

    const release = (entry: MemoryEntry): void => {
      stored.remove(entry)
      entry.clear()
    }

    const endLease = (key: string): void => {
      const lease = leases.get(key)
      if (lease === undefined) return
      leases.delete(key)
      release(lease)
    }

    /** A key has one entry at most. */
    const discard = (key: string): void => {
      if (!values.delete(key) && !groups.delete(key)) endLease(key)
    }

    const moveToFront = (key: string): MemoryEntry | undefined => {
      const entry = values.get(key)
      if (entry !== undefined) entry.movedAt = ++moves
      return entry
    }

    /**
     * A lease and the version of a group are read even past their end: their computation may still run here, if a blocked event
     * loop renews them late.
     */
    const readable = (key: string, now: number): MemoryEntry | undefined => {
      if (isGroupKey(key)) return groups.get(key)
      const entry = moveToFront(key) ?? leases.get(key)
      if (entry === undefined || now < entry.expiresAt || entry.entry?.value === undefined) return entry
      values.delete(key)
      return undefined
    }

    /** Copies the reference to the content: its reader may still need it after the `MemoryEntry` was cleared. */
    const read = (key: string, now: number): StoredEntry | undefined => {
      const found = readable(key, now)
      return found === undefined ? undefined : { token: found, entry: found.entry }
    }

    const isLive = (entry: MemoryEntry | undefined, now: number): boolean =>
      entry !== undefined && now < entry.expiresAt

    /** The size of the entry for the LRU, or the error if it can't be stored. */
    const sized = (
      key: string,
      entry: Entry,
      limit: number,
      operation: string
    ): Either.Either<{ readonly size: number }, CacheError> => {
      try {
        const size = bytesOf(key, entry)
        return size <= limit
          ? Either.right({ size })
          : Either.left(
              new CacheError({
                reason: "TooLarge",
                operation,
                key,
                description: `the value takes about ${size} bytes, the whole cache ${limit}`
              })
            )
      } catch (cause) {
        const description = "the size of the value can't be estimated: one of its properties throws"
        return Either.left(
          new CacheError({ reason: "Encode", operation, key, description, cause: withoutMessage(cause) })
        )
      }
    }

    const put = (key: string, given: Entry, now: number, operation: string): Either.Either<Token, CacheError> => {
      const entry = new MemoryEntry(key, copy ? withOwnMemory(given) : given, 0)
      if (isGroupKey(key)) groups.set(key, entry, now)
      else if (given.value === undefined) {
        discard(key)
        leases.set(key, entry)
      } else {
        const size = maxBytes === undefined ? Either.right({}) : sized(key, given, maxBytes, operation)
        if (Either.isLeft(size)) {
          // The old value is out of date all the same.
          discard(key)
          return Either.left(size.left)
        }
        endLease(key)
        entry.movedAt = ++moves
        values.set(key, entry, size.right)
      }
      stored.add(entry)
      return Either.right(entry)
    }

    const putIf = (
      key: string,
      entry: Entry,
      operation: string,
      allowed: (present: MemoryEntry | undefined, now: number) => boolean
    ): Effect.Effect<Option.Option<Token>, CacheError> =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        if (!allowed(readable(key, now), now)) return Effect.succeedNone
        // A tombstone: here all operations are synchronous, so removing the entry does the same.
        if (expiresAt(entry) <= now) {
          discard(key)
          return Effect.succeedSome({})
        }
        return Either.map(put(key, entry, now, operation), Option.some)
      })

    /** Removes expired entries, in slices: a walk over a million entries in one turn would block the event loop. */
    const sweep = Effect.flatMap(Clock.currentTimeMillis, (now) => {
      let slot = stored.size
      const slice: Effect.Effect<void> = Effect.suspend(() => {
        slot = Math.min(slot, stored.size)
        const end = Math.max(0, slot - sweepSlice)
        while (slot > end) {
          const entry = stored.at(--slot)
          if (entry !== undefined && entry.expiresAt <= now) discard(entry.key)
        }
        return slot === 0 ? Effect.void : Effect.zipRight(eventLoopTurn, slice)
      })
      return slice
    })
    yield* Effect.forkScoped(Effect.interruptible(Effect.forever(Effect.zipRight(backgroundSleep(sweepEvery), sweep))))

    const clear = Effect.sync(() => {
      // A new LRU: `values.clear()` takes several times as long.
      stored.clear((entry) => entry.clear())
      values = newLru()
      groups = newGroups()
      leases.clear()
    })
    // Whoever remembers an entry reads it without asking the store: after the end of the layer it must find nothing.
    yield* Effect.addFinalizer(() => clear)

    return {
      name: "memory",
      location: "process",
      payloads: copy ? "bytes" : "references",
      joinsTransaction: undefined,
      local: {
        capacity: maxEntries,
        read,
        group: (key) => groups.get(key),
        find: (key) => values.peek(key),
        keys: () => values.keys(),
        used: (entry) => {
          // All entries that this store returns are `MemoryEntry`s.
          const { key, movedAt } = entry as MemoryEntry
          if (moves - movedAt >= nearFront()) moveToFront(key)
        }
      },
      read: (fiber, keys, onFound) => {
        const now = nowMillis(fiber)
        return onFound(keys.map((key) => read(key, now)))
      },
      write: (fiber, items, onWritten) => {
        const now = nowMillis(fiber)
        const rejected: Array<RejectedItem> = []
        for (const { key, entry } of items) {
          const written = put(key, entry, now, "write")
          if (Either.isLeft(written)) rejected.push({ key, error: written.left })
        }
        return onWritten(rejected)
      },
      add: (key, entry) => putIf(key, entry, "add", (present, now) => !isLive(present, now)),
      replace: (key, token, entry) =>
        putIf(key, entry, "replace", (present) => present !== undefined && present === token),
      remove: (keys) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          let removed = 0
          for (const key of keys) {
            if (isLive(readable(key, now), now)) removed++
            discard(key)
          }
          return removed
        }),
      clear,
      size: Effect.sync(() => ({
        entries: Option.some(values.size),
        bytes: maxBytes === undefined ? Option.none() : Option.some(values.calculatedSize),
        evictions: Option.some(evictions)
      }))
    }
  })
