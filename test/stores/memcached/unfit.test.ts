/** Servers that answer, but can't keep what the cache promises: they are refused, and the error says what is needed. */
import { connect, createServer, type Socket } from "node:net"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Logger, LogLevel, Redacted, type Scope } from "effect"
import { type CacheBackend, cached, get, increment, invalidateGroup, set } from "effect-cached"
import * as MemcachedBackend from "effect-cached/MemcachedBackend"
import { freePort, type MemcachedServer, memcached } from "../../servers/memcached.js"
import { until } from "../../support/until.js"
import { eventually, freshNamespace, storeOn } from "./support.js"

const quietly = Logger.withMinimumLogLevel(LogLevel.None)

/** Something that takes connections and is given to `serve`. */
const listener = (serve: (socket: Socket) => void): Effect.Effect<string, Error, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.async<ReturnType<typeof createServer>, Error>((resume) => {
        const server = createServer((socket) => serve(socket.on("error", () => {})))
        server.on("error", (error) => resume(Effect.fail(error)))
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) => Effect.sync(() => server.close())
    ),
    (server) => {
      const bound = server.address()
      return `127.0.0.1:${typeof bound === "object" && bound !== null ? bound.port : 0}`
    }
  )

const warningsIn = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      if (logLevel === LogLevel.Warning) lines.push(String(Array.isArray(message) ? message[0] : message))
    })
    yield* Effect.provide(effect, Logger.replace(Logger.defaultLogger, logger))
    return lines
  })

describe.concurrent("a memcached without compare-and-set (-C)", () => {
  it.scopedLive("that answers at start: the layer fails, and names the flag", () =>
    Effect.gen(function* () {
      const server = yield* memcached({ args: ["-C"] })
      const layer = MemcachedBackend.layer({ servers: server.address, namespace: freshNamespace() })
      const error = yield* Effect.flip(Layer.build(layer))
      expect(error).toMatchObject({ _tag: "CacheError", reason: "StoreFailed" })
      expect(error.message).toContain(server.address)
      expect(error.message).toMatch(/-C .*without that flag/)
    }).pipe(quietly)
  )

  it.scopedLive("one of three: the layer fails as well", () =>
    Effect.gen(function* () {
      const servers = [yield* memcached(), yield* memcached({ args: ["-C"] }), yield* memcached()]
      const layer = MemcachedBackend.layer({ servers: servers.map(({ address }) => address).join(",") })
      const error = yield* Effect.flip(Layer.build(layer))
      expect(error.message).toContain(servers[1]?.address)
    }).pipe(quietly)
  )

  it.scopedLive("that comes later: direct operations fail and say why, cached computes, nothing is stale", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const lines = yield* warningsIn(
        Effect.gen(function* () {
          const servers = `127.0.0.1:${port}`
          const layer = MemcachedBackend.layer({ servers, namespace: freshNamespace(), retryDelay: 50 })
          yield* Effect.gen(function* () {
            yield* memcached({ args: ["-C"], port })
            yield* eventually(Effect.flip(get("a")), ({ message }) => message.includes("-C"))
            for (const operation of [set("a", 1), increment("a"), invalidateGroup("g"), get("a")]) {
              expect((yield* Effect.flip(operation as Effect.Effect<unknown, Error, CacheBackend>)).message).toMatch(
                /-C/
              )
            }
            let version = 1
            const read = cached(() => Effect.sync(() => version), { key: "version", ttl: "1 hour" })
            expect(yield* read()).toBe(1)
            version = 2
            expect(yield* read()).toBe(2)
            yield* Effect.sleep(500)
          }).pipe(Effect.provide(layer))
        })
      )
      // However often the server is tried, and whoever asks.
      expect(lines.filter((line) => line.includes("-C"))).toHaveLength(1)
    })
  )

  it.scopedLive("that replaces another one under a running program: refused from its first answer on", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const before = yield* memcached({ port })
      const store = yield* storeOn(`127.0.0.1:${port}`, { retryDelay: 50 })
      yield* store.write([{ key: "a", record: { bytes: Buffer.from("1"), lifetime: 60_000 } }])
      yield* before.kill
      yield* memcached({ args: ["-C"], port })
      let round = 0
      const answers: Array<unknown> = []
      const attempt = Effect.map(
        Effect.either(Effect.suspend(() => store.add(`k-${++round}`, { bytes: Buffer.from("1"), lifetime: 60_000 }))),
        (exit) => {
          if (exit._tag === "Left") return exit.left.message
          answers.push(exit.right)
          return ""
        }
      )
      const last = yield* until(attempt, (message) => message.includes("-C"))
      // It stays refused.
      yield* Effect.repeatN(attempt, 20)
      expect(answers).toEqual([])
      expect(last).toContain("-C")
    })
  )
})

describe.concurrent("another kind of server says what it is", () => {
  const errorOf = (servers: string, options: Partial<MemcachedBackend.MemcachedBackendOptions> = {}) =>
    Effect.flip(get("a")).pipe(
      Effect.provide(MemcachedBackend.layer({ servers, namespace: freshNamespace(), ...options })),
      Effect.map((error) => error.message),
      quietly
    )

  const takeAllConnections = ({ host, port }: MemcachedServer) =>
    Effect.gen(function* () {
      let said = ""
      const sockets = Array.from({ length: 150 }, () =>
        connect(port, host)
          .on("error", () => {})
          .on("data", (chunk) => {
            said += chunk
          })
      )
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          for (const socket of sockets) socket.destroy()
        })
      )
      const isFull = Effect.sync(() => {
        sockets[0]?.write("stats\r\n")
        return /Too many open connections|accepting_conns 0/.test(said)
      })
      expect(yield* until(isFull, (full) => full)).toBe(true)
    })

  it.scopedLive("memcached -B ascii", () =>
    Effect.gen(function* () {
      const server = yield* memcached({ args: ["-B", "ascii"] })
      const message = yield* errorOf(server.address)
      expect(message).toContain('it answered "ERROR"')
      expect(message).toMatch(/binary protocol \(-B auto/)
    })
  )

  it.scopedLive("memcached -B ascii, asked with a user and a password", () =>
    Effect.gen(function* () {
      const server = yield* memcached({ args: ["-B", "ascii"] })
      const message = yield* errorOf(server.address, { username: "alice", password: Redacted.make("secret") })
      expect(message).toContain('it answered "ERROR"')
      expect(message).not.toContain("secret")
    })
  )

  it.scopedLive("a server at its connection limit: it says so", () =>
    Effect.gen(function* () {
      const server = yield* memcached({ args: ["-c", "64"] })
      yield* takeAllConnections(server)
      const message = yield* errorOf(server.address)
      expect(message).toMatch(/Too many open connections.*\(-c\)/)
    })
  )

  it.scopedLive("a server at its connection limit that takes no further ones", () =>
    Effect.gen(function* () {
      const server = yield* memcached({ args: ["-c", "64", "-o", "no_maxconns_fast"] })
      yield* takeAllConnections(server)
      const message = yield* errorOf(server.address)
      expect(message).toMatch(/within 500 ms.*connections are all taken \(-c\)/)
    })
  )

  it.scopedLive("one that closes without a word", () =>
    Effect.gen(function* () {
      const servers = yield* listener((socket) => socket.once("data", () => socket.end()))
      const message = yield* errorOf(servers)
      expect(message).toMatch(/closed the connection instead of answering.*TLS \(option tls\).*binary protocol/)
    })
  )

  it.scopedLive("one that speaks TLS", () =>
    Effect.gen(function* () {
      const alert = Buffer.from([0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46])
      const servers = yield* listener((socket) => socket.once("data", () => socket.end(alert)))
      expect(yield* errorOf(servers)).toContain("it speaks TLS: give the option tls")
    })
  )

  it.scopedLive("a web server: its first line is quoted, shortened, and nothing that could harm a terminal", () =>
    Effect.gen(function* () {
      const servers = yield* listener((socket) =>
        socket.once("data", () => socket.end(`HTTP/1.1 400 \u001b[31mBad ${"x".repeat(200)}\r\nServer: secret\r\n\r\n`))
      )
      const message = yield* errorOf(servers)
      expect(message).toContain('it answered "HTTP/1.1 400 \\x1b[31mBad xxx')
      expect(message).not.toContain("\u001b")
      expect(message).not.toMatch(/x{100}|secret/)
    })
  )
})
