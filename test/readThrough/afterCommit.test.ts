/**
 * Invalidations in a real transaction of PostgreSQL, with a cache that is not in that database: `afterCommit` carries them out
 * again once the transaction has ended. The rows of a table are what is cached.
 */
import { randomUUID } from "node:crypto"
import { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Logger, LogLevel, Option, Tracer } from "effect"
import {
  afterCommit,
  type CacheBackend,
  CacheError,
  type CacheStore,
  cached,
  clear,
  delete as deleteKey,
  deleteMany,
  get,
  invalidateGroup,
  MemoryBackend,
  NoopBackend,
  StoreBackend,
  set
} from "effect-cached"
import * as MemcachedBackend from "effect-cached/MemcachedBackend"
import * as SqlBackend from "effect-cached/SqlBackend"
import { memcached } from "../servers/memcached.js"
import { client, freshTable } from "../stores/postgres/support.js"
import { outsideTransaction } from "../suites/sql/ground.js"

type Cache = Layer.Layer<CacheBackend, unknown>

const memoryCache: Cache = MemoryBackend.layer({ namespace: "shop" })

const memcachedCache: Cache = Layer.unwrapScoped(
  Effect.map(memcached(), ({ address }) =>
    MemcachedBackend.layer({ servers: address, namespace: randomUUID(), timeout: "1 minute" })
  )
)

const elsewhere = [
  ["memory", memoryCache],
  ["memcached", memcachedCache]
] as const

/** A table with one row, and a memoized function over it, in a group. `inside` runs where a SQL transaction is to be used. */
const ground = Effect.gen(function* () {
  const sql = yield* SqlClient
  const table = freshTable()
  yield* sql`CREATE TABLE ${sql(table)} (id int PRIMARY KEY, name text NOT NULL)`
  yield* sql`INSERT INTO ${sql(table)} VALUES (1, 'old'), (2, 'old')`
  const read = (id: number) =>
    Effect.map(
      outsideTransaction(sql<{ readonly name: string }>`SELECT name FROM ${sql(table)} WHERE id = ${id}`),
      (rows) => rows[0]?.name
    )
  const name = cached(read, { key: `name-${table}`, ttl: "1 hour", groups: ["names"], stale: 0 })
  const rename = sql`UPDATE ${sql(table)} SET name = 'new'`
  return { sql, table, name, read, rename }
})

const invalidations: ReadonlyArray<
  readonly [
    string,
    (name: {
      readonly invalidate: (id: number) => Effect.Effect<void, CacheError, CacheBackend>
      cacheKey: (id: number) => string
    }) => Effect.Effect<unknown, CacheError, CacheBackend>
  ]
> = [
  ["invalidate", (name) => name.invalidate(1)],
  ["invalidateGroup", () => invalidateGroup("names")],
  ["delete", (name) => deleteKey(name.cacheKey(1))],
  ["deleteMany", (name) => deleteMany([name.cacheKey(1), name.cacheKey(2)])],
  ["clear", () => clear]
]

const warningsOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      if (logLevel === LogLevel.Warning) lines.push(`${message}`)
    })
    yield* Effect.provide(effect, Logger.replace(Logger.defaultLogger, logger))
    return lines
  })

const quietly = Logger.withMinimumLogLevel(LogLevel.None)

describe.concurrent("afterCommit", () => {
  for (const [where, cache] of elsewhere) {
    const live = <E>(what: string, test: Effect.Effect<void, E, CacheBackend | SqlClient>) =>
      it.live(`${where}: ${what}`, () => test.pipe(Effect.provide(cache), Effect.provide(client())))

    for (const [what, invalidation] of invalidations) {
      live(
        `${what}: what a reader stored before the commit is gone after it`,
        Effect.gen(function* () {
          const { name, rename, sql } = yield* ground
          expect(yield* name(1)).toBe("old")
          const change = Effect.gen(function* () {
            yield* rename
            yield* invalidation(name)
            // Another request, whose own connection sees the row of before the commit.
            expect(yield* outsideTransaction(name(1))).toBe("old")
            expect(yield* outsideTransaction(name.requireCache(1))).toBe("old")
          })
          yield* afterCommit(sql.withTransaction(change))
          expect(yield* name(1)).toBe("new")
        })
      )

      live(
        `${what}: who still computes from the rows of before the commit loses its lease`,
        Effect.gen(function* () {
          const { read, rename, sql, table } = yield* ground
          const [hasRead, committed] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
          const slow = cached(
            (id: number) =>
              Effect.tap(read(id), () =>
                Effect.zipRight(Deferred.succeed(hasRead, undefined), Deferred.await(committed))
              ),
            { key: `slow-${table}`, ttl: "1 hour", groups: ["names"] }
          )
          const change = Effect.gen(function* () {
            yield* rename
            yield* invalidation(slow)
            const reader = yield* Effect.forkDaemon(outsideTransaction(slow(1)))
            yield* Deferred.await(hasRead)
            return reader
          })
          const reader = yield* afterCommit(sql.withTransaction(change))
          yield* Deferred.succeed(committed, undefined)
          yield* Fiber.join(reader)
          expect(yield* slow(1)).toBe("new")
        })
      )
    }

    live(
      "a rollback does no harm",
      Effect.gen(function* () {
        const { name, rename, sql } = yield* ground
        yield* name(1)
        const change = Effect.zipRight(Effect.zipRight(rename, name.invalidate(1)), Effect.fail("no"))
        expect(yield* Effect.exit(afterCommit(sql.withTransaction(change)))).toEqual(Exit.fail("no"))
        expect(yield* name(1)).toBe("old")
        expect(yield* name.requireCache(1)).toBe("old")
      })
    )

    live(
      "a failure after the commit: what was invalidated inside is removed again all the same",
      Effect.gen(function* () {
        const { name, rename, sql } = yield* ground
        const change = rename.pipe(Effect.zipRight(name.invalidate(1)), Effect.zipRight(outsideTransaction(name(1))))
        const outcome = yield* Effect.exit(
          afterCommit(Effect.zipRight(sql.withTransaction(change), Effect.fail("later")))
        )
        expect(outcome).toEqual(Exit.fail("later"))
        expect(yield* name(1)).toBe("new")
      })
    )

    live(
      "an interruption between the commit and its end waits until all is removed",
      Effect.gen(function* () {
        const { name, rename, sql } = yield* ground
        const committed = yield* Deferred.make<void>()
        const change = Effect.zipRight(Effect.zipRight(rename, name.invalidate(1)), outsideTransaction(name(1)))
        const fiber = yield* Effect.fork(
          afterCommit(
            Effect.zipRight(
              sql.withTransaction(change),
              Effect.zipRight(Deferred.succeed(committed, undefined), Effect.never)
            )
          )
        )
        yield* Deferred.await(committed)
        expect(Exit.isInterrupted(yield* Fiber.interrupt(fiber))).toBe(true)
        expect(yield* name(1)).toBe("new")
      })
    )

    live(
      "savepoints, and an afterCommit inside a transaction: the outermost commit counts",
      Effect.gen(function* () {
        const { name, rename, sql } = yield* ground
        const inner = Effect.zipRight(rename, name.invalidate(1))
        const change = Effect.gen(function* () {
          yield* afterCommit(sql.withTransaction(inner))
          expect(yield* outsideTransaction(name(1))).toBe("old")
        })
        yield* afterCommit(sql.withTransaction(change))
        expect(yield* name(1)).toBe("new")
      })
    )

    live(
      "an afterCommit of its own transaction inside another one's: it holds when it returns",
      Effect.gen(function* () {
        const { name, rename, sql } = yield* ground
        const change = Effect.zipRight(Effect.zipRight(rename, name.invalidate(1)), outsideTransaction(name(1)))
        yield* afterCommit(
          Effect.gen(function* () {
            yield* afterCommit(sql.withTransaction(change))
            expect(yield* name(1)).toBe("new")
          })
        )
        expect(yield* name(1)).toBe("new")
      })
    )

    live(
      "parallel fibers inside the transaction",
      Effect.gen(function* () {
        const { name, rename, sql } = yield* ground
        const change = Effect.gen(function* () {
          yield* rename
          yield* Effect.forEach([1, 2], (id) => name.invalidate(id), { concurrency: "unbounded" })
          yield* Effect.forEach([1, 2], (id) => outsideTransaction(name(id)))
        })
        yield* afterCommit(sql.withTransaction(change))
        expect([yield* name(1), yield* name(2)]).toEqual(["new", "new"])
      })
    )

    live(
      "forceRecalc inside: what it removed is removed again",
      Effect.gen(function* () {
        const { name, rename, sql } = yield* ground
        const change = Effect.zipRight(Effect.zipRight(rename, name.forceRecalc(1)), outsideTransaction(name(1)))
        yield* afterCommit(sql.withTransaction(change))
        expect(yield* name(1)).toBe("new")
      })
    )

    live(
      "12,000 keys are bounded: the namespace is cleared",
      Effect.gen(function* () {
        const { name, rename, sql } = yield* ground
        const many = Array.from({ length: 12_000 }, (_, index) => `key-${index}`)
        const change = Effect.gen(function* () {
          yield* rename
          yield* deleteMany([...many, name.cacheKey(1)])
          yield* outsideTransaction(name(1))
          yield* outsideTransaction(set("unrelated", 1))
        })
        yield* afterCommit(sql.withTransaction(change))
        expect(yield* name(1)).toBe("new")
        expect(yield* get("unrelated")).toEqual(Option.none())
      })
    )

    it.live(`${where}: without it, one warning names it, and says what happens`, () =>
      Effect.gen(function* () {
        const without = yield* warningsOf(
          Effect.gen(function* () {
            const { name, rename, sql } = yield* ground
            const change = Effect.gen(function* () {
              yield* rename
              for (let round = 0; round < 10; round++) yield* name.invalidate(1)
              yield* invalidateGroup("names")
              yield* clear
            })
            yield* sql.withTransaction(change)
            // It is of no use inside.
            yield* sql.withTransaction(afterCommit(change))
          })
        )
        expect(without).toHaveLength(1)
        expect(without[0]).toContain("afterCommit(sql.withTransaction(…))")
        expect(without[0]).toContain(`the ${where} cache`)
      }).pipe(Effect.provide(cache), Effect.provide(client()))
    )

    it.live(`${where}: no warning with it, nor outside of transactions`, () =>
      Effect.gen(function* () {
        const lines = yield* warningsOf(
          Effect.gen(function* () {
            const { name, rename, sql } = yield* ground
            yield* afterCommit(sql.withTransaction(Effect.zipRight(rename, name.invalidate(1))))
            yield* afterCommit(name.invalidate(1))
            yield* name.invalidate(1)
            yield* invalidateGroup("names")
          })
        )
        expect(lines).toEqual([])
      }).pipe(Effect.provide(cache), Effect.provide(client()))
    )
  }

  it.live("nothing is cached, so nothing is warned of: NoopBackend", () =>
    Effect.gen(function* () {
      const lines = yield* warningsOf(
        Effect.gen(function* () {
          const { name, sql } = yield* ground
          yield* sql.withTransaction(name.invalidate(1))
        })
      )
      expect(lines).toEqual([])
    }).pipe(Effect.provide(NoopBackend.layer), Effect.provide(client()))
  )

  it.live("two backends at once", () =>
    Effect.gen(function* () {
      const { name, rename, sql } = yield* ground
      const first = yield* Layer.build(memoryCache)
      const second = yield* Layer.build(memcachedCache)
      const change = Effect.gen(function* () {
        yield* rename
        for (const cache of [first, second]) {
          yield* Effect.provide(name.invalidate(1), cache)
          yield* Effect.provide(outsideTransaction(name(1)), cache)
        }
      })
      yield* afterCommit(sql.withTransaction(change))
      for (const cache of [first, second]) expect(yield* Effect.provide(name(1), cache)).toBe("new")
    }).pipe(Effect.provide(client()), Effect.scoped)
  )

  it.live("the second time fails: the error says that the transaction is committed", () =>
    Effect.gen(function* () {
      const { rename, sql, table } = yield* ground
      let up = true
      const away = new CacheError({ reason: "Unavailable", operation: "remove", description: "cable cut" })
      const store: CacheStore.CacheStore = {
        name: "cut",
        location: "network",
        payloads: "references",
        read: (keys) => Effect.succeed(keys.map(() => undefined)),
        write: () => Effect.fail(away),
        add: () => Effect.fail(away),
        replace: () => Effect.fail(away),
        remove: (keys) => Effect.suspend(() => (up ? Effect.succeed(keys.length) : Effect.fail(away))),
        clear: Effect.void
      }
      const transaction = sql.withTransaction(
        Effect.gen(function* () {
          yield* rename
          yield* deleteKey("a")
          yield* deleteKey("b")
          yield* Effect.sync(() => {
            up = false
          })
        })
      )
      const run = (options: StoreBackend.OutageOptions) =>
        Effect.suspend(() => {
          up = true
          return Effect.exit(
            Effect.provide(afterCommit(transaction), StoreBackend.layer(Effect.succeed(store), options))
          )
        })
      const failed = yield* Effect.flip(Effect.flatten(run({})) as Effect.Effect<void, CacheError | SqlError>)
      expect(failed).toMatchObject({ _tag: "CacheError", reason: "Unavailable", operation: "afterCommit" })
      expect(failed.message).toMatch(/transaction is committed.*cable cut/)
      expect(yield* sql`SELECT name FROM ${sql(table)} WHERE id = 1`).toEqual([{ name: "new" }])
      expect(yield* run({ queueInvalidations: true })).toEqual(Exit.void)
    }).pipe(quietly, Effect.provide(client()))
  )

  it.live("on the SQL backend it changes nothing: not one statement more", () =>
    Effect.gen(function* () {
      const spans: Array<string> = []
      const tracer = Tracer.make({
        span: (name, parent, context, links, startTime, kind) => {
          spans.push(name)
          const native: Tracer.Span = {
            _tag: "Span",
            spanId: `${spans.length}`,
            traceId: "trace",
            name,
            parent,
            context,
            links,
            kind,
            sampled: false,
            attributes: new Map(),
            status: { _tag: "Started", startTime },
            end: () => {},
            attribute: () => {},
            event: () => {},
            addLinks: () => {}
          }
          return native
        },
        context: (run) => run()
      })
      const lines = yield* warningsOf(
        Effect.gen(function* () {
          const { name, rename, sql } = yield* ground
          const change = Effect.gen(function* () {
            yield* rename
            yield* name.invalidate(1)
            yield* invalidateGroup("names")
            yield* deleteKey("a")
          })
          const spansOf = <E, R>(effect: Effect.Effect<unknown, E, R>) =>
            Effect.gen(function* () {
              yield* name(1)
              spans.length = 0
              yield* Effect.withTracer(effect, tracer)
              return spans.filter((span) => /^(sql|cache)\./.test(span))
            })
          const without = yield* spansOf(sql.withTransaction(change))
          const within = yield* spansOf(afterCommit(sql.withTransaction(change)))
          expect(without.length).toBeGreaterThan(4)
          expect(within).toEqual(without)
          expect(yield* name(1)).toBe("new")
        })
      )
      expect(lines).toEqual([])
    }).pipe(Effect.provide(SqlBackend.layer({ table: freshTable() })), Effect.provide(client()))
  )
})
