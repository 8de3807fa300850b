/** The cache on the servers of `MEMCACHED_SERVERS`. */
import { Effect } from "effect"
import { cached } from "effect-cached"
import * as MemcachedBackend from "effect-cached/MemcachedBackend"

const double = cached((n) => Effect.succeed(n * 2), { key: "double" })

const program = Effect.zipRight(double(21), double.requireCache(21))

const Cache = MemcachedBackend.layerConfig()

process.stdout.write(String(await Effect.runPromise(Effect.provide(program, Cache))))
