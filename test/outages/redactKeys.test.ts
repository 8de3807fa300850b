/** With `redactKeys` nothing that is said holds an argument of a key; and nothing ever holds a value. */
import { SqlClient } from "@effect/sql/SqlClient"
import { describe, expect, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Metric, Option, Schema, TestClock } from "effect"
import { CacheBackend, CacheError, type CacheStore, cached, MemoryBackend, StoreBackend } from "effect-cached"
import * as MemcachedBackend from "effect-cached/MemcachedBackend"
import * as SqlBackend from "effect-cached/SqlBackend"
import * as MemoryStore from "../../src/internal/stores/memory/MemoryStore.js"
import { memcached } from "../servers/memcached.js"
import { client, freshTable } from "../stores/postgres/support.js"
import { Said } from "../support/everythingSaid.js"
import { plain } from "../support/stores.js"

const email = "ann@example.com"
const secret = "s3cret-value"

/** A store on a network that can be switched off, and quotes the keys and values in its errors. */
const talkative = (switches: { mode: CacheError["reason"] | "up" }) =>
  Effect.map(
    MemoryStore.make({ maxEntries: 1_000, maxBytes: undefined, copy: true }),
    (inner): CacheStore.CacheStore => {
      const memory = plain(inner)
      const reached = <A>(operation: string, key: string, effect: Effect.Effect<A, CacheError>) =>
        Effect.suspend(() =>
          switches.mode === "up"
            ? effect
            : Effect.fail(
                new CacheError({
                  reason: switches.mode,
                  operation,
                  key,
                  description: `can't ${operation} ${key}`,
                  cause: new Error(`no answer about ${key}`, { cause: new Error(key) })
                })
              )
        )
      const first = (keys: ReadonlyArray<string>) => keys.join()
      return {
        ...memory,
        name: "talkative",
        location: "network",
        read: (keys) => reached("read", first(keys), memory.read(keys)),
        write: (items) => reached("write", first(items.map(({ key }) => key)), memory.write(items)),
        add: (key, entry) => reached("add", key, memory.add(key, entry)),
        replace: (key, token, entry) => reached("replace", key, memory.replace(key, token, entry)),
        remove: (keys) => reached("remove", first(keys), memory.remove(keys))
      }
    }
  )

/** A schema that refuses every value but the empty text, and quotes it. */
const Quoting = Schema.String.pipe(
  Schema.filter((text) => text === "" || `must not be ${text}`, { message: ({ actual }) => `not ${actual}` })
)

class Instance {
  constructor(readonly text: string) {}
}

class ThrowingGetter {
  get text(): string {
    throw new Error(secret)
  }
}

/** Hits, misses, stale values, invalidations, refusals, failures: with the e-mail in keys and groups, the secret in values. */
const scenario = (said: Said, wait: Effect.Effect<unknown>) =>
  Effect.gen(function* () {
    const cache = yield* CacheBackend
    const { hear } = said
    let failing = false
    const profile = cached(
      (user: string) => (failing ? Effect.fail("no database" as const) : Effect.succeed({ user, secret })),
      { key: "profile", ttl: "20 millis", stale: "1 hour", groups: (user) => [`user ${user}`] }
    )
    for (let call = 0; call < 3; call++) yield* hear(profile(email))
    yield* wait
    failing = true
    yield* hear(profile(email))
    failing = false
    yield* hear(profile.invalidate(email))
    yield* hear(profile.requireCache(email))
    yield* hear(profile.forceRecalc(email))
    yield* hear(profile.requireCache(email))
    yield* hear(cache.invalidateGroup(`user ${email}`))
    yield* hear(Effect.succeed(secret).pipe(cached({ key: ["session", email] })))
    for (const schema of [Quoting, Schema.Struct({ inner: Quoting })]) {
      const refused = cached((_user: string) => Effect.succeed<unknown>(secret), {
        key: "refused",
        // The value is of the wrong type, which is what a schema refuses.
        schema: schema as Schema.Schema<unknown>
      })
      yield* hear(refused(email))
    }
    for (const value of [
      new Instance(secret),
      { deep: new Map([[secret, () => 1]]) },
      { [secret.concat("!")]: () => 1 },
      new Proxy(
        {},
        {
          ownKeys: () => {
            throw new Error(secret)
          }
        }
      )
    ]) {
      yield* hear(cached((_user: string) => Effect.succeed<unknown>(value), { key: "instance" })(email))
      yield* hear(cache.set(email, value))
      yield* hear(cache.setMany([[email, value]]))
      yield* hear(cache.add(["user", email, 1], value))
    }
    const badTtl = cached((_user: string) => Effect.succeed(secret), {
      key: "badTtl",
      ttl: (value) => value as "1 day"
    })
    yield* hear(badTtl(email))
    const throwing = cached((_user: string) => Effect.succeed(secret), {
      key: "throwing",
      ttl: (value) => {
        throw new Error(`bad ${value}`)
      }
    })
    yield* hear(throwing(email))
    yield* hear(cached((user: object) => Effect.succeed(user), { key: "unprintable" })(new ThrowingGetter()))
    yield* hear(cache.get([email, new ThrowingGetter()]))
    const byUser = cached((users: object) => Effect.succeed(users), { key: "byUser" })
    for (const call of [byUser, byUser.invalidate, byUser.requireCache]) yield* hear(call({ [email]: () => email }))
    yield* hear(cache.get(["users", { [email]: () => email }]))
    const cyclic: (user: string) => Effect.Effect<string, never, CacheBackend> = cached(
      (user: string) => Effect.suspend(() => cyclic(user)),
      { key: "cyclic" }
    )
    yield* hear(cyclic(email))
    for (const key of [email, ["user", email]]) {
      yield* hear(cache.set(key, secret, { groups: [email] }))
      yield* hear(cache.get(key))
      yield* hear(cache.getMany([key]))
      yield* hear(cache.has(key))
      yield* hear(cache.getOrSet(key, Effect.succeed(secret), { groups: [email] }))
      yield* hear(cache.increment(key))
      yield* hear(cache.touch(key))
      yield* hear(cache.delete(key))
      yield* hear(cache.increment(key))
      yield* hear(cache.getOrSet([key, 2], Effect.succeed(secret)))
      yield* hear(cache.deleteMany([key]))
    }
    yield* hear(cache.clear)
  })

const metrics = Effect.map(Metric.snapshot, (pairs) =>
  pairs.map(({ metricKey }) => `${metricKey.name} ${metricKey.tags.map(({ value }) => value)}`).join("\n")
)

const nothingOf = (said: Said, text: string) => {
  expect(said.lines.length).toBeGreaterThan(100)
  expect(said.quoting(text)).toEqual([])
}

describe("nothing that is said holds a value, nor with redactKeys an argument", () => {
  for (const redactKeys of [true, false]) {
    const check = Effect.fnUntraced(function* (said: Said) {
      nothingOf(said, secret)
      expect(yield* metrics).not.toContain(secret)
      expect(yield* metrics).not.toContain(email)
      if (redactKeys) nothingOf(said, email)
      else expect(said.quoting(`profile("${email}")`)).not.toEqual([])
      expect(said.quoting(redactKeys ? "profile(#" : "profile(")).not.toEqual([])
    })

    for (const options of [{ copy: true }, { copy: false, maxBytes: 100_000 }]) {
      it.effect(`in memory, ${JSON.stringify({ ...options, redactKeys })}`, () => {
        const said = new Said()
        return Effect.gen(function* () {
          yield* Effect.provide(
            scenario(said, TestClock.adjust("1 second")),
            MemoryBackend.layer({ ...options, redactKeys })
          )
          yield* check(said)
        }).pipe(Effect.provide(said.layer))
      })
    }

    it.effect(`on PostgreSQL, redactKeys: ${redactKeys}`, () => {
      const said = new Said()
      const table = freshTable()
      const layer = SqlBackend.layer({ table, redactKeys }).pipe(Layer.provideMerge(client()))
      return Effect.gen(function* () {
        const sql = yield* SqlClient
        const wait = Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 50)))
        yield* scenario(said, wait)
        // A failed check quotes the whole row.
        yield* sql.unsafe(`ALTER TABLE ${table} ADD CHECK (length(value) < 0)`)
        yield* scenario(said, wait)
        yield* sql.unsafe(`DROP TABLE ${table}`)
        yield* scenario(said, wait)
        yield* check(said)
        const hex = Buffer.from(secret).toString("hex")
        expect(said.quoting(hex)).toEqual([])
        expect(said.quoting("violates check constraint")).not.toEqual([])
        expect(said.quoting("Failing row contains")).toEqual([])
        if (redactKeys) expect(said.quoting(Buffer.from(email).toString("hex"))).toEqual([])
      }).pipe(Effect.provide(layer), Effect.provide(said.layer))
    })
  }

  it.live("on PostgreSQL, where a trigger quotes the keys of a whole batch, and of what the purge deletes", () => {
    const said = new Said()
    const table = freshTable()
    const everyHundred = { purgeEvery: "100 millis", maxEntries: 100 } as const
    const layer = SqlBackend.layer({ table, redactKeys: true, ...everyHundred }).pipe(Layer.provideMerge(client()))
    const users = Array.from({ length: 20 }, (_, number) => `${number}${email}`)
    return Effect.gen(function* () {
      const sql = yield* SqlClient
      const cache = yield* CacheBackend
      yield* Effect.forEach(users, (user) => cache.set(user, secret, { ttl: "50 millis" }))
      yield* sql.unsafe(`CREATE FUNCTION ${table}_refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'not %', COALESCE(OLD.key, NEW.key); END $$`)
      yield* sql.unsafe(
        `CREATE TRIGGER refuse BEFORE INSERT OR UPDATE OR DELETE ON ${table} FOR EACH ROW EXECUTE FUNCTION ${table}_refuse()`
      )
      const profile = cached((_user: string) => Effect.succeed(secret), {
        key: "profile",
        groups: (user) => [`group of ${user}`]
      })
      const all = (each: (user: string) => Effect.Effect<unknown, unknown, CacheBackend>) =>
        Effect.forEach(users, (user) => said.hear(each(user)), { concurrency: "unbounded", discard: true })
      yield* all(profile)
      yield* all((user) => cache.set(user, secret))
      yield* all((user) => cache.delete(user))
      yield* all((user) => cache.invalidateGroup(user))
      yield* all((user) => sql.withTransaction(profile.invalidate(user)))
      yield* all((user) => sql.withTransaction(cache.set(user, secret)))
      yield* all(() => cache.setMany(users.map((user) => [user, secret] as const)))
      yield* said.hear(cache.clear)
      const purged = Effect.sync(() => said.quoting("purge failed").length > 0)
      yield* Effect.repeat(Effect.delay(purged, "20 millis"), { until: (done) => done })
      expect(said.quoting("not …").length).toBeGreaterThan(20)
      nothingOf(said, email)
      nothingOf(said, secret)
    }).pipe(Effect.provide(layer), Effect.provide(said.layer), Effect.timeout("30 seconds"))
  })

  it.scopedLive("on Memcached, and while its server is away", () => {
    const said = new Said()
    const wait = Effect.sleep("50 millis")
    return Effect.gen(function* () {
      const server = yield* memcached()
      yield* Effect.gen(function* () {
        yield* scenario(said, wait)
        yield* server.kill
        yield* scenario(said, wait)
      }).pipe(Effect.provide(MemcachedBackend.layer({ servers: server.address, redactKeys: true })))
      nothingOf(said, email)
      nothingOf(said, secret)
      expect(said.quoting("profile(#")).not.toEqual([])
    }).pipe(Effect.provide(said.layer))
  })

  for (const mode of ["Unavailable", "StoreFailed", "Timeout", "TooLarge"] as const) {
    it.effect(`where a driver quotes the key in its errors: ${mode}`, () => {
      const said = new Said()
      const switches: Parameters<typeof talkative>[0] = { mode: "up" }
      const wait = TestClock.adjust("1 second")
      return Effect.gen(function* () {
        yield* scenario(said, wait)
        switches.mode = mode
        yield* scenario(said, wait)
        yield* scenario(said, wait)
        switches.mode = "up"
        yield* scenario(said, wait)
        nothingOf(said, email)
        nothingOf(said, secret)
        expect(said.quoting("profile(#")).not.toEqual([])
      }).pipe(Effect.provide(StoreBackend.layer(talkative(switches), { redactKeys: true })), Effect.provide(said.layer))
    })
  }
})

describe("a redacted key", () => {
  const city = cached((slug: string) => Effect.succeed(slug), { key: "city" })
  const hashIn = (exit: Exit.Exit<unknown, unknown>) =>
    /#[0-9a-f]{12}/.exec(String(Exit.isFailure(exit) ? Option.getOrThrow(Cause.failureOption(exit.cause)) : ""))?.[0]

  it.effect("has the name of its function and a hash, which is the same on every layer and for direct operations", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(city.requireCache("lisbon"))
      expect(error).toMatchObject({ _tag: "NoCachedValue", key: expect.stringMatching(/^city\(#[0-9a-f]{12}\)$/) })
      const direct = yield* Effect.exit(
        Effect.flatMap(CacheBackend, (cache) => cache.increment(city.cacheKey("lisbon")))
      )
      expect(hashIn(direct)).toBe(hashIn(Exit.fail(error)))
      const other = yield* Effect.exit(
        Effect.provide(city.requireCache("lisbon"), MemoryBackend.layer({ redactKeys: true }))
      )
      expect(hashIn(other)).toBe(hashIn(Exit.fail(error)))
      expect(hashIn(yield* Effect.exit(city.requireCache("porto")))).not.toBe(hashIn(Exit.fail(error)))
    }).pipe(Effect.provide(MemoryBackend.layer({ redactKeys: true })))
  )

  it.effect("is the program's own in cacheKey, and in the store", () =>
    Effect.gen(function* () {
      expect(city.cacheKey("lisbon")).toBe('city("lisbon")')
      yield* city("lisbon")
      const cache = yield* CacheBackend
      expect(yield* cache.get('city("lisbon")')).toEqual(Option.some("lisbon"))
    }).pipe(Effect.provide(MemoryBackend.layer({ redactKeys: true })))
  )
})
