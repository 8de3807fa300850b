/** Encrypted connections to a memcached that was built with TLS, and credentials that would be sent in clear. */
import { describe, expect, it } from "@effect/vitest"
import { ConfigProvider, Effect, Inspectable, Layer, Logger, LogLevel, Option, Redacted } from "effect"
import { get, set, setMany } from "effect-cached"
import * as MemcachedBackend from "effect-cached/MemcachedBackend"
import * as MemcachedStore from "../../../src/internal/stores/memcached/MemcachedStore.js"
import { memcached } from "../../servers/memcached.js"
import { authority, memcachedWithTls } from "../../servers/tls.js"
import { freshNamespace, patience } from "./support.js"

const quietly = Logger.withMinimumLogLevel(LogLevel.None)

type Tls = MemcachedBackend.MemcachedBackendOptions["tls"]

const layerOn = (servers: string, tls: Tls, connectTimeout = patience) =>
  MemcachedBackend.layer({ servers, namespace: freshNamespace(), timeout: patience, connectTimeout, tls })

/** Also of what is longer than what memcached reads at once. */
const roundTrip = Effect.gen(function* () {
  const some = Array.from({ length: 300 }, (_, index) => [`key-${index}`, "x".repeat(index * 20)] as const)
  expect(yield* setMany(some)).toEqual([])
  const read = yield* Effect.forEach(some, ([key]) => get(key), { concurrency: "unbounded" })
  expect(read.map(Option.getOrNull)).toEqual(some.map(([, value]) => value))
  yield* Effect.forEach(some, ([key, value]) => set(key, value), { concurrency: "unbounded" })
  yield* set("a", { big: "x".repeat(300_000) })
  return yield* get("a")
})

const works = (servers: string, tls: Tls) =>
  Effect.map(Effect.provide(roundTrip, layerOn(servers, tls)), (found) => {
    expect(found).toMatchObject({ _tag: "Some", value: { big: "x".repeat(300_000) } })
  })

/** Why the server is down. */
const refusal = (servers: string, tls: Tls, connectTimeout?: number) =>
  Effect.map(
    Effect.provide(Effect.flip(get("a")), layerOn(servers, tls, connectTimeout)),
    ({ message }) => message
  ).pipe(quietly)

const localhost = "DNS:localhost,IP:127.0.0.1"

describe("TLS", () => {
  it.scopedLive("a server whose certificate is of a trusted authority, for its name or its address", () =>
    Effect.gen(function* () {
      const { ca, certificate } = yield* authority
      const port = yield* memcachedWithTls(certificate("server", localhost))
      yield* works(`localhost:${port}`, { ca })
      yield* works(`127.0.0.1:${port}`, { ca: [ca] })
      yield* works(`127.0.0.1:${port}`, { ca: Buffer.from(ca), minVersion: "TLSv1.3" })
    })
  )

  it.scopedLive("one whose certificate can't be verified is refused, and nothing is sent to it", () =>
    Effect.gen(function* () {
      const { ca, certificate } = yield* authority
      const other = yield* authority
      const port = yield* memcachedWithTls(certificate("server", localhost))
      expect(yield* refusal(`localhost:${port}`, true)).toMatch(/is down: .*(certificate|issuer)/)
      expect(yield* refusal(`localhost:${port}`, { ca: other.ca })).toMatch(/is down: .*(certificate|signature)/)
      // Somebody who wants it that way.
      yield* works(`localhost:${port}`, { rejectUnauthorized: false })
      yield* works(`localhost:${port}`, { ca })
    })
  )

  it.scopedLive("one whose certificate is for another host is refused, unless the option names that host", () =>
    Effect.gen(function* () {
      const { ca, certificate } = yield* authority
      const port = yield* memcachedWithTls(certificate("server", "DNS:cache.example.com"))
      expect(yield* refusal(`localhost:${port}`, { ca })).toMatch(/is down: Hostname\/IP does not match/)
      yield* works(`localhost:${port}`, { ca, servername: "cache.example.com" })
    })
  )

  it.scopedLive("a server that wants a certificate of its clients", () =>
    Effect.gen(function* () {
      const made = yield* authority
      const { ca, certificate } = made
      const port = yield* memcachedWithTls(certificate("server", localhost), made)
      const { cert, key } = certificate("client", "DNS:client")
      expect(yield* refusal(`localhost:${port}`, { ca })).toContain("is down")
      yield* works(`localhost:${port}`, { ca, cert, key: Redacted.make(key) })
      yield* works(`localhost:${port}`, { ca, cert, key })
    })
  )

  it.scopedLive("the option is missing, or there too many: the error says what the server speaks", () =>
    Effect.gen(function* () {
      const { ca, certificate } = yield* authority
      const port = yield* memcachedWithTls(certificate("server", localhost))
      expect(yield* refusal(`localhost:${port}`, undefined)).toMatch(/TLS/)
      const plain = yield* memcached()
      expect(yield* refusal(plain.address, { ca }, 1_000)).toMatch(/does not speak TLS.*option tls/)
    })
  )

  it.scopedLive("no key appears in an inspection", () =>
    Effect.gen(function* () {
      const { cert, key } = (yield* authority).certificate("client", "DNS:client")
      const pool = yield* MemcachedStore.connect(
        { servers: "127.0.0.1:1", tls: { key, cert, passphrase: Redacted.make("hush") } },
        freshNamespace()
      )
      const seen = pool.connections.map((connection) => Inspectable.toStringUnknown({ ...connection })).join()
      expect(seen).toContain("127.0.0.1:1")
      expect(seen).not.toMatch(/PRIVATE KEY|hush/)
    }).pipe(quietly)
  )

  it.scopedLive("layerConfig: the option, or MEMCACHED_TLS", () =>
    Effect.gen(function* () {
      const { certificate } = yield* authority
      const port = yield* memcachedWithTls(certificate("server", localhost))
      const environment = new Map([
        ["MEMCACHED_SERVERS", `localhost:${port}`],
        ["MEMCACHED_TLS", "true"]
      ])
      const layer = MemcachedBackend.layerConfig().pipe(
        Layer.provide(Layer.setConfigProvider(ConfigProvider.fromMap(environment)))
      )
      const error = yield* Effect.flip(Effect.provide(get("a"), layer))
      expect(error.message).toMatch(/certificate|issuer/)
    }).pipe(quietly)
  )
})

describe("credentials", () => {
  const warnings = (options: Partial<MemcachedBackend.MemcachedBackendOptions>) =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => {
        if (logLevel === LogLevel.Warning) lines.push(`${message}`)
      })
      const layer = MemcachedBackend.layer({
        servers: "192.0.2.1:11211,cache.invalid",
        connectTimeout: 20,
        username: "alice",
        password: Redacted.make("hush"),
        ...options
      })
      yield* Effect.scoped(Layer.build(layer)).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
      return lines.filter((line) => line.includes("in clear"))
    })

  it.scopedLive("in clear to another host: one warning at the start, with its name and without the password", () =>
    Effect.gen(function* () {
      const lines = yield* warnings({})
      expect(lines).toHaveLength(1)
      expect(lines[0]).toContain("192.0.2.1:11211, cache.invalid:11211")
      expect(lines[0]).toContain("tls")
      expect(lines[0]).not.toContain("hush")
    })
  )

  it.scopedLive("encrypted, on this machine, or not given: none", () =>
    Effect.gen(function* () {
      expect(yield* warnings({ tls: true })).toEqual([])
      for (const servers of ["localhost:1", "127.0.0.1:1", "[::1]:1", "127.8.9.10:1,localhost:2"]) {
        expect(yield* warnings({ servers })).toEqual([])
      }
      expect(yield* warnings({ password: undefined })).toEqual([])
    })
  )
})
