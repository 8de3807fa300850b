/** What a program notices of a Redis in trouble: `cached` and direct operations through the layer. */
import { createServer } from "node:net"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Either, Exit, Layer, Logger, LogLevel, Option, Redacted, Scope } from "effect"
import { CacheBackend, type CacheBackendService, cached } from "effect-cached"
import * as RedisBackend from "effect-cached/RedisBackend"
import { Redis } from "ioredis"
import { createClient } from "redis"
import { freePort } from "../../servers/program.js"
import { type RedisServer, redis } from "../../servers/redis.js"
import { relayTo } from "../../servers/relay.js"
import { blockedFor } from "../../support/blocked.js"
import { until } from "../../support/until.js"

const timeout = 800

const built = (options: RedisBackend.RedisBackendOptions) =>
  Effect.map(Layer.build(Layer.fresh(RedisBackend.layer({ timeout, ...options }))), (context) =>
    Context.get(context, CacheBackend)
  )

interface Trouble {
  readonly begin: Effect.Effect<unknown, unknown>
  readonly end: Effect.Effect<unknown, unknown>
  /** What a direct operation says meanwhile. */
  readonly says: RegExp
  /** Whether reads still work. */
  readonly readsWork?: boolean
}

const steadyCalls = (cache: CacheBackendService) => {
  let computations = 0
  const f = cached((id: number) => Effect.sync(() => `${id} ${++computations}`), { key: "steady", ttl: "1 hour" })
  const call = (id: number) => Effect.provideService(f(id), CacheBackend, cache)
  return { call, computations: () => computations }
}

const isHit = (cache: CacheBackendService) => {
  const { call, computations } = steadyCalls(cache)
  return Effect.gen(function* () {
    yield* call(1)
    const before = computations()
    yield* call(1)
    return computations() === before
  })
}

const through = (url: string, trouble: Trouble) =>
  Effect.gen(function* () {
    const cache = yield* built({ url })
    const { call } = steadyCalls(cache)
    const failures: Array<unknown> = []
    yield* until(isHit(cache), Boolean)
    yield* trouble.begin
    const set = yield* Effect.either(cache.set("a", 1))
    for (let id = 0; id < 40; id++) {
      const exit = yield* Effect.exit(call(id % 5))
      if (Exit.isFailure(exit)) failures.push(exit.cause)
      yield* Effect.sleep("5 millis")
    }
    expect(failures).toEqual([])
    if (trouble.readsWork !== true) {
      const direct = yield* until(Effect.either(cache.get("a")), Either.isLeft)
      expect(direct).toMatchObject({ _tag: "Left", left: { _tag: "CacheError" } })
    }
    expect(String(Either.isLeft(set) ? set.left.message : "it succeeded")).toMatch(trouble.says)
    yield* trouble.end
    expect(yield* until(isHit(cache), Boolean)).toBe(true)
    // The breaker's probe finds out within a second that it stores again.
    expect(yield* until(Effect.either(cache.set("a", 2)), Either.isRight)).toMatchObject({ _tag: "Right" })
  }).pipe(Logger.withMinimumLogLevel(LogLevel.None))

describe("a Redis", () => {
  const test = (what: string, trouble: (server: RedisServer) => Trouble) =>
    it.scopedLive(what, () =>
      Effect.gen(function* () {
        const server = yield* redis()
        yield* through(server.url, trouble(server))
      })
    )

  test("that is killed, and starts again without its memory", ({ kill, start }) => ({
    begin: kill,
    end: start,
    says: /Unavailable/
  }))

  test("that is frozen", ({ freeze, thaw }) => ({ begin: freeze, end: thaw, says: /Timeout/ }))

  it.scopedLive("that wants a password from now on", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      const admin = yield* Effect.acquireRelease(
        Effect.promise(() => createClient({ url: server.url }).connect()),
        (made) => Effect.sync(() => made.destroy())
      )
      const send = (...command: ReadonlyArray<string>) => Effect.promise(() => admin.sendCommand([...command]))
      yield* through(server.url, {
        begin: Effect.zipRight(
          send("CONFIG", "SET", "requirepass", "secret"),
          send("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        ),
        end: send("CONFIG", "SET", "requirepass", ""),
        says: /Unavailable/
      })
    })
  )

  test("that is full", ({ ask }) => ({
    begin: Effect.zipRight(
      ask("CONFIG", "SET", "maxmemory-policy", "noeviction"),
      ask("CONFIG", "SET", "maxmemory", "1")
    ),
    end: ask("CONFIG", "SET", "maxmemory", "0"),
    says: /OOM/,
    readsWork: true
  }))

  test("that is read-only, a replica", ({ ask }) => ({
    begin: ask("REPLICAOF", "127.0.0.1", "1"),
    end: ask("REPLICAOF", "NO", "ONE"),
    says: /READONLY/,
    readsWork: true
  }))

  it.scopedLive("that greets nobody has one connection at a time, and none after the end of the layer", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      const relay = yield* relayTo(server)
      relay.swallow = true
      const scope = yield* Scope.make()
      const layer = RedisBackend.layer({ url: `redis://${relay.address}`, connectTimeout: 20 })
      yield* Layer.buildWithScope(layer, scope)
      yield* until(
        Effect.sync(() => relay.connections().made),
        (made) => made > 10
      )
      // The last one is closed when the next one is opened.
      expect(relay.connections().open).toBeLessThanOrEqual(2)
      yield* Scope.close(scope, Exit.void)
      const open = yield* until(
        Effect.sync(() => relay.connections().open),
        (count) => count === 0
      )
      expect(open).toBe(0)
    })
  )

  it.scopedLive("behind a network that swallows everything: the connection is made anew", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      const relay = yield* relayTo({ host: server.host, port: server.port })
      yield* through(`redis://${relay.address}`, {
        begin: Effect.sync(() => {
          relay.swallow = true
        }),
        end: Effect.sync(() => {
          relay.swallow = false
        }),
        says: /Timeout|Unavailable/
      })
    })
  )

  it.scopedLive("that was down at the start and then refuses the password is asked again and again", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      yield* built({ url: `redis://:secret@127.0.0.1:${port}` })
      let made = 0
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          const refusing = createServer((socket) => {
            made++
            socket.on("error", () => {}).on("data", () => socket.write("-WRONGPASS invalid username-password pair\r\n"))
          })
          return refusing.listen(port, "127.0.0.1")
        }),
        (server) => Effect.sync(() => server.close())
      )
      const tried = yield* until(
        Effect.sync(() => made),
        (count) => count > 2
      )
      expect(tried).toBeGreaterThan(2)
    }).pipe(Logger.withMinimumLogLevel(LogLevel.None))
  )

  it.scopedLive("that is down behind a proxy which is not: connections are tried one after the other", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      // It takes each connection, and closes it when the server refuses it.
      const relay = yield* relayTo({ host: server.host, port: server.port })
      const cache = yield* built({ url: `redis://${relay.address}`, connectTimeout: "150 millis" })
      yield* cache.set("before", 1)
      yield* server.kill
      const { made } = relay.connections()
      yield* Effect.sleep("5 seconds")
      // With pauses of 25, 50, 100 … milliseconds. Attempts beside each other would be more than a thousand.
      expect(relay.connections().made - made).toBeLessThan(100)
      yield* server.start
      yield* until(Effect.either(cache.set("back", 1)), Either.isRight)
      const ids = Array.from({ length: 200 }, (_, id) => id)
      yield* Effect.forEach(ids, (id) => cache.set(`key ${id}`, id), { concurrency: 20 })
      const found = yield* Effect.forEach(ids, (id) => cache.get(`key ${id}`), { concurrency: 20 })
      expect(found.map(Option.getOrNull)).toEqual(ids)
    }).pipe(Logger.withMinimumLogLevel(LogLevel.None))
  )

  it.scopedLive("whose connections are killed under load: no call fails", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      const cache = yield* built({ url: server.url })
      const { call } = steadyCalls(cache)
      const calls = Effect.forEach(
        Array.from({ length: 300 }),
        (_, index) => Effect.zipLeft(Effect.exit(call(index % 20)), Effect.sleep("2 millis")),
        { concurrency: 4 }
      )
      const [exits] = yield* Effect.all(
        [
          calls,
          Effect.repeatN(Effect.delay(server.ask("CLIENT", "KILL", "TYPE", "normal"), "20 millis"), 10).pipe(
            Effect.ignore
          )
        ],
        { concurrency: "unbounded" }
      )
      expect(exits.filter(Exit.isFailure)).toEqual([])
    }).pipe(Logger.withMinimumLogLevel(LogLevel.None))
  )
})

describe("the layer", () => {
  it.scopedLive("fails at once where the password is wrong or missing, and says so", () =>
    Effect.gen(function* () {
      const server = yield* redis(["--requirepass", "secret"])
      for (const password of [undefined, Redacted.make("wrong")]) {
        const refused = yield* Effect.flip(built({ url: server.url, password }))
        expect(refused.message).toMatch(/NOAUTH|WRONGPASS/)
        expect(refused.message).not.toContain("wrong")
      }
      const cache = yield* built({ url: server.url, password: Redacted.make("secret") })
      yield* cache.set("a", 1)
      const url = Redacted.make(`redis://:secret@${server.address}`)
      expect(yield* (yield* built({ url })).get("a")).toMatchObject({ value: 1 })
    })
  )

  it.scopedLive("is built where no server answers, and hits as soon as one does", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      yield* server.kill
      const cache = yield* built({ url: server.url })
      const { call } = steadyCalls(cache)
      yield* call(1)
      expect(yield* Effect.either(cache.get("a"))).toMatchObject({ _tag: "Left", left: { reason: "Unavailable" } })
      yield* server.start
      expect(yield* until(isHit(cache), Boolean)).toBe(true)
    }).pipe(Logger.withMinimumLogLevel(LogLevel.None))
  )

  it.scopedLive("keeps databases and namespaces apart, and takes the program's own client without closing it", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      const client = yield* Effect.acquireRelease(
        Effect.promise(() => createClient({ url: server.url, disableOfflineQueue: true }).connect()),
        (made) => Effect.sync(() => made.destroy())
      )
      yield* Effect.scoped(
        Effect.gen(function* () {
          const [one, two] = [
            yield* built({ client, namespace: "one" }),
            yield* built({ url: server.url, database: 2 })
          ]
          yield* one.set("a", "one")
          yield* two.set("a", "two")
          expect(yield* one.get("a")).toMatchObject({ value: "one" })
          yield* two.clear
          expect(yield* one.get("a")).toMatchObject({ value: "one" })
        })
      )
      expect(yield* Effect.promise(() => client.ping())).toBe("PONG")
    })
  )

  it.scopedLive("leaves no timer behind that would keep the process alive", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      const timers = Effect.sync(
        () => process.getActiveResourcesInfo().filter((resource) => resource === "Timeout").length
      )
      const before = yield* timers
      const set = Effect.flatMap(built({ url: server.url, connectTimeout: "10 minutes" }), (cache) => cache.set("a", 1))
      for (let round = 0; round < 10; round++) yield* Effect.scoped(set)
      // Those of others come and go.
      expect(yield* until(timers, (count) => count < before + 5)).toBeLessThan(before + 5)
    })
  )

  it.scopedLive("refuses options out of their range", () =>
    Effect.gen(function* () {
      for (const options of [
        {},
        { url: "localhost:6379" },
        { url: "redis://127.0.0.1:1", timeout: 0 },
        { url: "redis://127.0.0.1:1", database: -1 },
        { url: "redis://127.0.0.1:1", wait: { replicas: 0 } },
        { url: [] }
      ]) {
        const refused = yield* Effect.flip(Effect.scoped(built(options)))
        expect(refused.reason).toBe("InvalidOption")
      }
    })
  )
})

describe("a client of another library", () => {
  it.scopedLive("is an adapter of a few lines", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      const ioredis = yield* Effect.acquireRelease(
        Effect.sync(() => new Redis(server.port, server.host, { enableOfflineQueue: true })),
        (made) => Effect.sync(() => made.disconnect())
      )
      const client: RedisBackend.RedisClient = {
        isCluster: false,
        send: (_key, [command = "", ...args]) =>
          ioredis.callBuffer(
            String(command),
            ...args.map((part) => (typeof part === "string" ? part : Buffer.from(part)))
          ),
        reconnect: () => ioredis.disconnect(true)
      }
      const cache = yield* built({ client })
      const { call, computations } = steadyCalls(cache)
      expect([yield* call(1), yield* call(1), computations()]).toEqual(["1 1", "1 1", 1])
      expect(yield* cache.add("a", 1)).toBe(true)
      expect(yield* cache.increment("a")).toBe(2)
      yield* cache.clear
      expect(yield* call(1)).toBe("1 2")
    })
  )
})

describe("a connection that the server closes", () => {
  const operations = (cache: CacheBackendService) =>
    Effect.all([cache.increment("key"), cache.get("other"), cache.delete("other")], { concurrency: 3 })

  it.scopedLive("because it was idle, while the process is busy: what is asked then goes over a new one", () =>
    Effect.gen(function* () {
      const server = yield* redis(["--timeout", "1"])
      const cache = yield* built({ url: server.url })
      yield* cache.set("key", 1)
      // That the connection was closed lies in the socket while the process is busy.
      blockedFor(3_000)
      expect((yield* operations(cache))[0]).toBe(2)
      blockedFor(3_000)
      expect(yield* cache.get("key")).toMatchObject({ value: 2 })
      expect((yield* cache.stats).storeErrors).toBe(0)
    })
  )

  it.scopedLive("although it is in use: what is asked next waits for the new one", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      const relay = yield* relayTo({ host: "127.0.0.1", port: server.port })
      const cache = yield* built({ url: `redis://${relay.address}` })
      for (let round = 0; round < 20; round++) {
        yield* cache.set("key", round)
        yield* relay.reset
        yield* Effect.sleep(round)
        // What was under way when the connection ended fails.
        const first = yield* Effect.either(operations(cache))
        if (Either.isLeft(first)) expect(first.left).toMatchObject({ reason: "Unavailable" })
        expect(yield* Effect.either(operations(cache))).toMatchObject({ _tag: "Right" })
      }
    })
  )
})
