import { Effect, Logger, LogLevel, Metric, Option, type Scope } from "effect"
import { Client } from "memjs"
import type { ByteItem, ByteRecord, ByteStore, StoredBytes } from "../../../src/ByteStore.js"
import type { CacheError } from "../../../src/CacheError.js"
import { unfused } from "../../../src/internal/stores/fused.js"
import * as MemcachedStore from "../../../src/internal/stores/memcached/MemcachedStore.js"
import type { MemcachedOptions } from "../../../src/internal/stores/memcached/settings.js"
import type { FusedByteStore } from "../../../src/internal/stores/Store.js"
import { until } from "../../support/until.js"

export const minute = 60_000

export const record = (text: string | Uint8Array, lifetime = minute): ByteRecord => ({
  bytes: typeof text === "string" ? Buffer.from(text) : text,
  lifetime
})

export const item = (key: string, text: string | Uint8Array, lifetime = minute): ByteItem => ({
  key,
  record: record(text, lifetime)
})

export const textOf = (stored: StoredBytes | undefined): string | undefined =>
  stored === undefined ? undefined : Buffer.from(stored.bytes).toString()

export const readTexts = (store: ByteStore, ...keys: ReadonlyArray<string>) =>
  Effect.map(store.read(keys), (records) => records.map(textOf))

export const readText = (store: ByteStore, key: string) => Effect.map(store.read([key]), ([stored]) => textOf(stored))

/** Reads a record that must be there. */
export const readRecord = (store: ByteStore, key: string): Effect.Effect<StoredBytes, CacheError> =>
  Effect.flatMap(store.read([key]), ([stored]) =>
    stored === undefined ? Effect.dieMessage(`no record under ${key}`) : Effect.succeed(stored)
  )

export const added = (store: ByteStore, key: string, text: string) =>
  Effect.map(store.add(key, record(text)), Option.isSome)

/** The store with reads and writes that are Effects, as a driver of a third party has them. */
export const plain = (store: FusedByteStore): ByteStore => ({
  ...store,
  read: unfused(store.read),
  write: unfused(store.write)
})

/** Of tests that are not about time-outs: no machine is so busy. */
export const patience = 60_000

/** Outages are what many tests are about; what is said of them would drown the rest. */
const quietly = Logger.withMinimumLogLevel(LogLevel.None)

/**
 * A namespace that no other test uses, also not on servers that outlive the run. Always of one length: what memcached evicts goes
 * by the size of items, keys included.
 */
export const freshNamespace = (): string => {
  const random = Math.random().toString(36).slice(2, 12).padEnd(10, "0")
  return `test-${`${process.pid}`.padStart(7, "0")}-${random}`
}

export const fusedStoreOn = (
  servers: string,
  options: Omit<Partial<MemcachedOptions>, "servers"> = {},
  namespace = freshNamespace()
): Effect.Effect<FusedByteStore, CacheError, Scope.Scope> =>
  quietly(MemcachedStore.make({ servers, timeout: patience, ...options }, namespace))

export const storeOn = (
  ...options: Parameters<typeof fusedStoreOn>
): Effect.Effect<ByteStore, CacheError, Scope.Scope> => Effect.map(fusedStoreOn(...options), plain)

/** memjs as it comes, for what is wrong with it. */
export const bareMemjs = (servers: string, options: ConstructorParameters<typeof Client>[1] = {}) =>
  Effect.acquireRelease(
    Effect.sync(() => Client.create(servers, { logger: { log: () => {} }, ...options })),
    (client) => Effect.sync(() => client.close())
  )

/** What becomes of a promise within the time: most of memjs's faults are promises that never settle. */
export const outcome = (
  promise: () => Promise<unknown>,
  millis: number
): Effect.Effect<"settled" | "failed" | "hangs"> =>
  Effect.tryPromise(promise).pipe(
    Effect.as("settled" as const),
    Effect.catchAll(() => Effect.succeed("failed" as const)),
    Effect.timeoutTo({ duration: millis, onSuccess: (result) => result, onTimeout: () => "hangs" as const })
  )

/** Repeats until the result is as wanted: failures are none. How soon it is, is what the proof measures. */
export const eventually = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  wanted: (result: A) => boolean
): Effect.Effect<void, Error, R> =>
  Effect.flatMap(
    until(Effect.option(effect), Option.exists(wanted)),
    (seen): Effect.Effect<void, Error> =>
      Option.exists(seen, wanted) ? Effect.void : Effect.fail(new Error(`at last there was ${seen}`))
  )

/** Whether the metric says that calls skip this server. */
export const isDown = (address: string): Effect.Effect<boolean> =>
  Effect.map(Metric.snapshot, (pairs) =>
    pairs.some(
      ({ metricKey, metricState }) =>
        metricKey.name === "effect_cached_breaker_open" &&
        metricKey.tags.some(({ key, value }) => key === "server" && value === address) &&
        "value" in metricState &&
        metricState.value === 1
    )
  )
