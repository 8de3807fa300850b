/**
 * The caches that the demo can run on. Each is loaded only when it is asked for, so that the others' clients need not
 * be installed.
 */
import { Effect, type Layer } from "effect"
import type { CacheBackend } from "effect-cached"

export type BackendLayer = Layer.Layer<CacheBackend, unknown>

const backends = {
  memory: () => import("./backends/memory.js"),
  sql: () => import("./backends/sql.js"),
  memcached: () => import("./backends/memcached.js")
} satisfies Record<string, () => Promise<{ readonly layer: BackendLayer }>>

export type BackendName = keyof typeof backends

// Object.keys widens to string; the object above has no other keys.
export const backendNames = Object.keys(backends) as ReadonlyArray<BackendName>

export const isBackendName = (name: string): name is BackendName => Object.hasOwn(backends, name)

export const loadBackend = (name: BackendName): Effect.Effect<BackendLayer> =>
  Effect.map(Effect.promise(backends[name]), (module) => module.layer)
