/** Encrypted connections to a Redis that speaks nothing else: of the cache, and of the bus. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Fiber, Logger, LogLevel, Option } from "effect"
import { CacheBus, get, set } from "effect-cached"
import * as RedisBackend from "effect-cached/RedisBackend"
import * as RedisBus from "effect-cached/RedisBus"
import { createClient } from "redis"
import { redis, redisWithTls } from "../../servers/redis.js"
import { authority } from "../../servers/tls.js"
import { freshNamespace } from "./support.js"

const localhost = "DNS:localhost,IP:127.0.0.1"

const layerOn = (url: string, tls?: RedisBackend.RedisBackendOptions["tls"]) =>
  RedisBackend.layer({ url, tls, namespace: freshNamespace(), timeout: "20 seconds", connectTimeout: "20 seconds" })

const works = (url: string, tls?: RedisBackend.RedisBackendOptions["tls"]) =>
  Effect.gen(function* () {
    const big = { big: "x".repeat(300_000) }
    yield* set("a", big)
    expect(Option.getOrNull(yield* get("a"))).toEqual(big)
  }).pipe(Effect.provide(layerOn(url, tls)))

/** Why nothing can be asked. */
const refusal = (url: string, tls?: RedisBackend.RedisBackendOptions["tls"]) =>
  Effect.either(Effect.provide(get("a"), layerOn(url, tls))).pipe(
    Effect.map((answer) => (Either.isLeft(answer) ? answer.left.message : "it was answered")),
    Logger.withMinimumLogLevel(LogLevel.None)
  )

describe("TLS to Redis", () => {
  it.scopedLive("a server whose certificate is of a trusted authority, by rediss: or by the option", () =>
    Effect.gen(function* () {
      const { ca, certificate } = yield* authority
      const { port } = yield* redisWithTls(certificate("server", localhost))
      yield* works(`rediss://localhost:${port}`, { ca })
      yield* works(`rediss://127.0.0.1:${port}`, { ca: [ca], minVersion: "TLSv1.3" })
      yield* works(`redis://localhost:${port}`, { ca })
    })
  )

  it.scopedLive("one whose certificate can't be verified, or is for another host, is refused", () =>
    Effect.gen(function* () {
      const { ca, certificate } = yield* authority
      const other = yield* authority
      const { port } = yield* redisWithTls(certificate("server", localhost))
      const elsewhere = yield* redisWithTls(certificate("elsewhere", "DNS:cache.example.com"))
      for (const tls of [undefined, true, { ca: other.ca }] as const) {
        expect(yield* refusal(`rediss://localhost:${port}`, tls)).toMatch(/certificate|issuer|signature/)
      }
      expect(yield* refusal(`rediss://localhost:${elsewhere.port}`, { ca })).toMatch(/Hostname|altnames/)
      // Somebody who wants it that way.
      yield* works(`rediss://localhost:${port}`, { rejectUnauthorized: false })
      yield* works(`rediss://localhost:${elsewhere.port}`, { ca, servername: "cache.example.com" })
    })
  )

  it.scopedLive("a server that wants a certificate of its clients", () =>
    Effect.gen(function* () {
      const made = yield* authority
      const { ca, certificate } = made
      const { port } = yield* redisWithTls(certificate("server", localhost), made)
      const { cert, key } = certificate("client", "DNS:client")
      yield* works(`rediss://localhost:${port}`, { ca, cert, key })
      expect(yield* refusal(`rediss://localhost:${port}`, { ca })).toMatch(/Redis/)
    })
  )

  it.scopedLive("the option is missing, or there too many: calls say that the store is away", () =>
    Effect.gen(function* () {
      const { ca, certificate } = yield* authority
      const { port } = yield* redisWithTls(certificate("server", localhost))
      const plain = yield* redis()
      const refused = (url: string, tls?: RedisBackend.RedisBackendOptions["tls"]) =>
        Effect.flip(
          Effect.provide(get("a"), RedisBackend.layer({ url, tls, timeout: "1 second", connectTimeout: "1 second" }))
        ).pipe(Logger.withMinimumLogLevel(LogLevel.None))
      expect(yield* refused(`redis://localhost:${port}`)).toMatchObject({ _tag: "CacheError", reason: "Unavailable" })
      expect(yield* refused(plain.url, { ca })).toMatchObject({ _tag: "CacheError", reason: "Unavailable" })
    })
  )

  it.scopedLive("the bus, by a client of the program: its line is encrypted as well", () =>
    Effect.gen(function* () {
      const { ca, certificate } = yield* authority
      const { port } = yield* redisWithTls(certificate("server", localhost))
      const client = yield* Effect.acquireRelease(
        Effect.promise(() => createClient({ url: `rediss://localhost:${port}`, socket: { tls: true, ca } }).connect()),
        (made) => Effect.sync(() => made.destroy())
      )
      const heard = yield* Effect.gen(function* () {
        const bus = yield* CacheBus
        const told = yield* Effect.makeLatch(false)
        const keys: Array<string> = []
        yield* bus.subscribe(
          (message) => {
            if (message.length === 0) return
            keys.push(...message)
            told.unsafeOpen()
          },
          () => {}
        )
        const waiting = yield* Effect.fork(told.await)
        yield* bus.publish(["v1:a:x"])
        yield* Fiber.join(waiting)
        return keys
      }).pipe(Effect.provide(RedisBus.layer({ client })))
      expect(heard).toEqual(["v1:a:x"])
    })
  )
})
