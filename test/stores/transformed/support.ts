/** Transformed backends over a Map of bytes, in which a test can read and forge. */
import { Context, Effect, Layer, Redacted } from "effect"
import { ByteStore, CacheBackend, StoreBackend } from "effect-cached"
import { decodeEntry, encodeEntry } from "../../../src/internal/records/entryCodec.js"
import { byteMap } from "../../support/byteMap.js"

export type Transform = Effect.Effect<StoreBackend.ByteTransform, unknown>

export const secret = (fill: number): Redacted.Redacted<Uint8Array> => Redacted.make(new Uint8Array(32).fill(fill))

/** The finished key of a text. */
export const finished = (key: string): string => `v1:default:${key}`

export const bytesBelow = () => {
  const { records, store } = byteMap()
  const base = StoreBackend.layer(Effect.succeed(ByteStore.toCacheStore(store)))

  /** A process with these transformations, over the same bytes. */
  const process = (...steps: ReadonlyArray<Transform>) =>
    Effect.map(
      Layer.build(
        steps.reduce<Layer.Layer<CacheBackend, unknown>>((layer, step) => StoreBackend.transform(layer, step), base)
      ),
      (context) => Context.get(context, CacheBackend)
    )

  const entryOf = (key: string) => {
    const record = records.get(finished(key))
    const entry = record === undefined ? undefined : decodeEntry(finished(key), record.bytes)
    if (record === undefined || entry?.value === undefined) throw new Error(`no value under ${key}`)
    return { record, entry, value: entry.value, payload: Buffer.from(entry.value.payload as Uint8Array) }
  }

  return {
    records,
    process,
    /** The bytes of a value as they are stored. */
    payloadOf: (key: string): Buffer => entryOf(key).payload,
    /** Puts other bytes in the place of a value's, in a record that is well-formed otherwise. */
    forge: (key: string, payload: Uint8Array): void => {
      const { entry, record, value } = entryOf(key)
      const bytes = encodeEntry(finished(key), { ...entry, value: { ...value, payload } })
      records.set(finished(key), { ...record, bytes, token: Symbol(key) })
    },
    /** All bytes in the store, as one. */
    everything: (): Buffer => Buffer.concat([...records.values()].map(({ bytes }) => bytes))
  }
}
