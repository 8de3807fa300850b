import { Effect } from "effect"
import * as MemcachedBackend from "effect-cached/MemcachedBackend"
import { memcachedServers } from "../../../test/servers/memcached.js"

/** On the servers of `MEMCACHED_SERVERS`, or on one of its own that ends with the demo. It has no bus. */
export const backend = Effect.map(memcachedServers(1), (servers) => ({
  layer: MemcachedBackend.layer({ servers, namespace: "effect-cached-demo" })
}))
