/** Turns a driver that keeps bytes under a key into a store of entries: all primitives but `read` and `write`. */
import type { Effect, Option } from "effect"
import type { CacheError } from "../../CacheError.js"
import { type CacheStore, type Entry, expiresAt, type Token, type WriteItem } from "../../CacheStore.js"
import { nowMillis, withFiber } from "../runtime/fiber.js"
import { encodeEntry, headLength } from "./entryCodec.js"

/**
 * The same as `ByteRecord`, which is public: the public module imports this file, so this file can't import it. Both are classes,
 * because they wait for the server's answer.
 */
class EncodedEntry {
  constructor(
    readonly bytes: Uint8Array,
    /** Milliseconds. */
    readonly lifetime: number
  ) {}
}

/** The same as `ByteItem`. */
class EncodedItem {
  constructor(
    readonly key: string,
    readonly record: EncodedEntry
  ) {}
}

/** The same as `AmendedRecord`. */
interface AmendedEntry extends EncodedEntry {
  readonly head: number
  readonly replaces: number
}

/** A `ByteStore` without `read` and `write`. */
interface ByteWrites extends Pick<CacheStore, "name" | "remove" | "clear" | "size"> {
  readonly add: (key: string, record: EncodedEntry) => Effect.Effect<Option.Option<Token>, CacheError>
  readonly replace: (key: string, token: Token, record: EncodedEntry) => Effect.Effect<Option.Option<Token>, CacheError>
  readonly amend?: (key: string, token: Token, record: AmendedEntry) => Effect.Effect<Option.Option<Token>, CacheError>
}

/** Milliseconds. An entry that has expired is still written, and a store may take a lifetime of 0 for ever. */
const shortestLifetime = 1
/** A tombstone stays long enough to be seen by those who poll the key, ten times a second at least. */
const lifetimeOfTombstone = 1_000

const lifetimeOf = (entry: Entry, now: number): number => {
  const left = Math.ceil(expiresAt(entry) - now)
  if (left > 0) return left
  return entry.value === undefined ? lifetimeOfTombstone : shortestLifetime
}

const toRecord = (key: string, entry: Entry, now: number): EncodedEntry =>
  new EncodedEntry(encodeEntry(key, entry), lifetimeOf(entry, now))

export const toItems = (items: ReadonlyArray<WriteItem>, now: number): ReadonlyArray<EncodedItem> =>
  items.map(({ entry, key }) => new EncodedItem(key, toRecord(key, entry, now)))

/** The head of a record is all before its payload. */
const amendOver =
  (driver: ByteWrites): NonNullable<CacheStore["amend"]> =>
  (key, token, entry, before) =>
    withFiber((fiber) => {
      const record = toRecord(key, entry, nowMillis(fiber))
      const amended = { ...record, head: headLength(key, entry), replaces: headLength(key, before) }
      return driver.amend?.(key, token, amended) ?? driver.replace(key, token, record)
    })

/** All members of a `CacheStore` but `read` and `write`. The lifetime of a record is counted from now on Effect's `Clock`. */
export const overBytes = (driver: ByteWrites): Omit<CacheStore, "read" | "write"> => ({
  name: driver.name,
  location: "network",
  payloads: "bytes",
  add: (key, entry) => withFiber((fiber) => driver.add(key, toRecord(key, entry, nowMillis(fiber)))),
  replace: (key, token, entry) =>
    withFiber((fiber) => driver.replace(key, token, toRecord(key, entry, nowMillis(fiber)))),
  ...(driver.amend === undefined ? {} : { amend: amendOver(driver) }),
  remove: (keys) => driver.remove(keys),
  clear: driver.clear,
  ...(driver.size === undefined ? {} : { size: driver.size })
})
