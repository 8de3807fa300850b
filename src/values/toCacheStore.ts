/**
 * From a store of bytes to a store of entries.
 *
 * @since 0.1.0
 */
import { Clock, Effect } from "effect"
import type { ByteRecord, ByteStore, StoredBytes } from "../ByteStore.js"
import { type CacheStore, type Entry, expiresAt, type StoredEntry } from "../CacheStore.js"
import { decodeEntry, encodeEntry } from "./entryCodec.js"

/** A store may take a lifetime of 0 for ever, or refuse it; an entry that has already expired still is to be written. */
const shortestLifetime = 1

const toRecord = (entry: Entry, now: number): ByteRecord => ({
  bytes: encodeEntry(entry),
  lifetime: Math.max(shortestLifetime, Math.ceil(expiresAt(entry) - now))
})

const toStoredEntry = (stored: StoredBytes | undefined): StoredEntry | undefined =>
  stored === undefined ? undefined : { token: stored.token, entry: decodeEntry(stored.bytes) }

/**
 * A `CacheStore` over a driver that keeps bytes. Its payloads are `Uint8Array`s; lifetimes are counted from Effect's
 * `Clock`. A record whose bytes are no entry reads as one with `entry: undefined`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const toCacheStore = (byteStore: ByteStore): CacheStore => ({
  name: byteStore.name,
  payloads: "bytes",
  read: (keys) => Effect.map(byteStore.read(keys), (records) => records.map(toStoredEntry)),
  write: (items) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      byteStore.write(items.map(({ entry, key }) => ({ key, record: toRecord(entry, now) })))
    ),
  add: (key, entry) => Effect.flatMap(Clock.currentTimeMillis, (now) => byteStore.add(key, toRecord(entry, now))),
  replace: (key, token, entry) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => byteStore.replace(key, token, toRecord(entry, now))),
  remove: (keys) => byteStore.remove(keys),
  clear: byteStore.clear,
  ...(byteStore.size === undefined ? {} : { size: byteStore.size })
})
