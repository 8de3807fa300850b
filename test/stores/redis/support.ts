import { Effect, type Scope } from "effect"
import type { CacheError } from "../../../src/CacheError.js"
import { unfused } from "../../../src/internal/stores/fused.js"
import { connect } from "../../../src/internal/stores/redis/nodeRedis.js"
import * as RedisStore from "../../../src/internal/stores/redis/RedisStore.js"
import type { FusedByteStore } from "../../../src/internal/stores/Store.js"
import type { RedisServer } from "../../servers/redis.js"

let namespaces = 0
export const freshNamespace = (): string => `test-${process.pid}-${++namespaces}`

const settings = {
  username: undefined,
  password: undefined,
  database: undefined,
  tls: undefined,
  connectTimeout: 5_000
}

export const storeOn = (
  url: string,
  namespace = freshNamespace()
): Effect.Effect<FusedByteStore, CacheError, Scope.Scope> =>
  Effect.flatMap(connect({ ...settings, urls: [url], isCluster: false }), (client) =>
    RedisStore.make(client, namespace, 5_000, undefined)
  )

export const item = (key: string, text: string, lifetime = 60_000) => ({
  key,
  record: { bytes: Buffer.from(text), lifetime }
})

export const readTexts = (store: FusedByteStore, ...keys: ReadonlyArray<string>) =>
  Effect.map(unfused(store.read)(keys), (found) =>
    found.map((stored) => (stored === undefined ? undefined : Buffer.from(stored.bytes).toString()))
  )

export const write = (store: FusedByteStore, ...items: ReadonlyArray<ReturnType<typeof item>>) =>
  unfused(store.write)(items)

/** How many commands of that name the server has run. */
export const calls = (server: RedisServer, command: string): Effect.Effect<number, Error> =>
  Effect.map(server.ask("INFO", "commandstats"), (stats) =>
    Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
  )
