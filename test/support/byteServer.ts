/** A driver of bytes in a Map, whose records expire on the Clock: what a server is for the library, without the server. */
import { Clock, Effect, Option } from "effect"
import * as ByteStore from "../../src/ByteStore.js"
import { CacheError } from "../../src/CacheError.js"
import type { CacheStore } from "../../src/CacheStore.js"

interface Held extends ByteStore.StoredBytes {
  readonly endsAt: number
}

export interface ByteServer {
  readonly store: CacheStore
  /** The keys of the records that live at the time. */
  readonly keys: (now: number) => ReadonlyArray<string>
  readonly put: (key: string, record: ByteStore.ByteRecord, now: number) => void
  readonly get: (key: string) => Held | undefined
}

/** @param largest bytes; as memcached does, the store deletes the record that a larger one was to replace */
export const byteServer = (largest = Number.POSITIVE_INFINITY): ByteServer => {
  const records = new Map<string, Held>()
  const live = (key: string, now: number) => {
    const held = records.get(key)
    return held === undefined || held.endsAt <= now ? undefined : held
  }
  const put = (key: string, { bytes, lifetime }: ByteStore.ByteRecord, now: number) => {
    const token = Symbol(key)
    records.set(key, { bytes, token, endsAt: now + lifetime })
    return Option.some(token)
  }
  const at = <A>(use: (now: number) => A) => Effect.map(Clock.currentTimeMillis, use)
  const store = ByteStore.toCacheStore({
    name: "map",
    read: (keys) => at((now) => keys.map((key) => live(key, now))),
    write: (items) =>
      at((now) => {
        for (const { key, record } of items) put(key, record, now)
        return []
      }),
    add: (key, record) => at((now) => (live(key, now) === undefined ? put(key, record, now) : Option.none())),
    replace: (key, token, record) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        if (live(key, now)?.token !== token) return Effect.succeedNone
        if (record.bytes.length <= largest) return Effect.succeed(put(key, record, now))
        records.delete(key)
        return Effect.fail(new CacheError({ reason: "TooLarge", operation: "replace", description: "too large" }))
      }),
    remove: (keys) => at((now) => keys.filter((key) => live(key, now) !== undefined && records.delete(key)).length),
    clear: Effect.sync(() => records.clear())
  })
  return {
    store,
    keys: (now) => [...records.keys()].filter((key) => live(key, now) !== undefined),
    put,
    get: (key) => records.get(key)
  }
}
