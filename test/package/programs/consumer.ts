/** Uses each module's types. Compiled with `skipLibCheck: false`, where our declarations have to stand alone. */
import { Effect, type Layer, Redacted } from "effect"
import {
  type ByteStore,
  type CacheBackend,
  type CachedEffect,
  type CachedFunction,
  type CacheError,
  type CacheStore,
  cached,
  getOrSet,
  MemoryBackend,
  NoopBackend,
  StoreBackend
} from "effect-cached"
import * as Compression from "effect-cached/Compression"
import * as Encryption from "effect-cached/Encryption"
import * as MemcachedBackend from "effect-cached/MemcachedBackend"
import { CountingBackend, cacheBackendSuite, FailingBackend } from "effect-cached/testing"

export const double: CachedFunction<[n: number], number, never, never> = cached((n: number) => Effect.succeed(n * 2), {
  key: "double",
  ttl: (value, n) => value + n
})
export const report: CachedEffect<string, never, never> = Effect.succeed("report").pipe(cached({ key: "report" }))
export const answer: Effect.Effect<number, CacheError, CacheBackend> = getOrSet("answer", Effect.succeed(42))
export const layers: ReadonlyArray<Layer.Layer<CacheBackend, CacheError>> = [
  MemoryBackend.layer(),
  NoopBackend.layer,
  MemcachedBackend.layer({ servers: "127.0.0.1:11211" })
]
export const transformed: Layer.Layer<CacheBackend, CacheError> = MemoryBackend.layer({ copy: true }).pipe(
  StoreBackend.transform(Compression.gzip()),
  StoreBackend.transform(Encryption.aesGcm({ keys: [Redacted.make(new Uint8Array(32))] }))
)
export const forTests: Layer.Layer<CacheBackend | CountingBackend.Calls> = CountingBackend.layer(
  FailingBackend.layer("Timeout")
)
export const ofStore = (store: CacheStore.CacheStore) => StoreBackend.layer(Effect.succeed(store))
export type Bytes = ByteStore.ByteStore
export const conforms = () => cacheBackendSuite("double", MemoryBackend.layer())
