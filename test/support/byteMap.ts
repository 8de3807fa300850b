/** A `ByteStore` over a Map, as its documentation shows one. */
import { Clock, Effect, Option } from "effect"
import type { ByteStore } from "effect-cached"

type Kept = ByteStore.StoredBytes & { readonly endsAt: number }

export const byteMap = () => {
  const records = new Map<string, Kept>()
  const live = (key: string, now: number) => {
    const stored = records.get(key)
    return stored === undefined || stored.endsAt <= now ? undefined : stored
  }
  const put = (key: string, { bytes, lifetime }: ByteStore.ByteRecord, now: number) => {
    const token = Symbol(key)
    records.set(key, { bytes, token, endsAt: now + lifetime })
    return Option.some(token)
  }
  const store: ByteStore.ByteStore = {
    name: "map",
    read: (keys) => Effect.map(Clock.currentTimeMillis, (now) => keys.map((key) => live(key, now))),
    write: (items) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        for (const { key, record } of items) put(key, record, now)
        return []
      }),
    add: (key, record) =>
      Effect.map(Clock.currentTimeMillis, (now) =>
        live(key, now) === undefined ? put(key, record, now) : Option.none()
      ),
    replace: (key, token, record) =>
      Effect.map(Clock.currentTimeMillis, (now) =>
        live(key, now)?.token === token ? put(key, record, now) : Option.none()
      ),
    remove: (keys) =>
      Effect.map(
        Clock.currentTimeMillis,
        (now) => keys.filter((key) => live(key, now) !== undefined && records.delete(key)).length
      ),
    clear: Effect.sync(() => records.clear())
  }
  return { records, store }
}
