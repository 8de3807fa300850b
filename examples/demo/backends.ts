/**
 * The caches that the demo can run on. Each is loaded only when it is asked for, so that the others' clients need not
 * be installed.
 */
import { Effect, type Layer, type Scope } from "effect"
import type { CacheBackend, CacheBus } from "effect-cached"

/** A cache that many processes share: each time that `layer` is built is another process. */
export interface Backend {
  readonly layer: Layer.Layer<CacheBackend, unknown>
  /** Absent where the server has none. */
  readonly bus?: Layer.Layer<CacheBus, unknown>
}

const backends = {
  memory: () => import("./backends/memory.js"),
  sql: () => import("./backends/sql.js"),
  memcached: () => import("./backends/memcached.js"),
  redis: () => import("./backends/redis.js")
} satisfies Record<string, () => Promise<{ readonly backend: Effect.Effect<Backend, unknown, Scope.Scope> }>>

export type BackendName = keyof typeof backends

// Object.keys widens to string; the object above has no other keys.
export const backendNames = Object.keys(backends) as ReadonlyArray<BackendName>

export const isBackendName = (name: string): name is BackendName => Object.hasOwn(backends, name)

/** Starts the server, if there is none yet. */
export const start = (name: BackendName): Effect.Effect<Backend, unknown, Scope.Scope> =>
  Effect.flatMap(
    Effect.promise((): Promise<{ readonly backend: Effect.Effect<Backend, unknown, Scope.Scope> }> => backends[name]()),
    ({ backend }) => backend
  )
