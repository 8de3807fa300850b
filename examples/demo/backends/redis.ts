import { Effect } from "effect"
import * as RedisBackend from "effect-cached/RedisBackend"
import * as RedisBus from "effect-cached/RedisBus"
import { redisUrl } from "../../../test/servers/redis.js"

const name = "effect-cached-demo"

/** On the server of `REDIS_URL`, or on one of its own that ends with the demo. */
export const backend = Effect.map(redisUrl, (url) => ({
  layer: RedisBackend.layer({ url, namespace: name }),
  bus: RedisBus.layer({ url, channel: name })
}))
