/** A role that may not remove is told so: no invalidation answers ok and leaves the old value. */
import { SqlClient } from "@effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import { expect, layer } from "@effect/vitest"
import { Context, Effect, Either, Layer, Option, Redacted } from "effect"
import { CacheBackend, cached } from "effect-cached"
import * as SqlBackend from "effect-cached/SqlBackend"
import type { CacheError } from "../../../src/CacheError.js"
import { client, freshTable, url } from "./support.js"

const policies = {
  SELECT: "USING (true)",
  INSERT: "WITH CHECK (true)",
  UPDATE: "USING (true) WITH CHECK (true)",
  DELETE: "USING (true)"
}
type Right = keyof typeof policies
const all: ReadonlyArray<Right> = ["SELECT", "INSERT", "UPDATE", "DELETE"]

/** A table with a value and a group's version, and the cache of a role that lacks a right or a policy. */
const ground = (lacking: {
  readonly policy?: Right
  readonly grant?: Right
  readonly keepsRows?: "DELETE" | "INSERT"
}) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const table = freshTable()
    const role = `${table}_role`
    const owner = yield* Layer.build(SqlBackend.layer({ table }))
    yield* Effect.acquireRelease(sql.unsafe(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`), () =>
      Effect.orDie(sql.unsafe(`DROP OWNED BY ${role}; DROP ROLE ${role}`))
    )
    yield* sql.unsafe(`GRANT ${all.filter((right) => right !== lacking.grant).join(", ")} ON ${table} TO ${role}`)
    if (lacking.policy !== undefined) {
      yield* sql.unsafe(`ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY`)
      for (const right of all.filter((each) => each !== lacking.policy)) {
        yield* sql.unsafe(`CREATE POLICY may_${right.toLowerCase()} ON ${table} FOR ${right} ${policies[right]}`)
      }
    }
    if (lacking.keepsRows !== undefined) {
      yield* sql.unsafe(`CREATE FUNCTION ${table}_keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`)
      yield* sql.unsafe(
        `CREATE TRIGGER keep BEFORE ${lacking.keepsRows} ON ${table} FOR EACH ROW EXECUTE FUNCTION ${table}_keep()`
      )
    }
    const place = new URL(url())
    place.username = role
    place.password = "secret"
    const its = PgClient.layer({ url: Redacted.make(place.href), maxConnections: 2 })
    const context = yield* Layer.build(Layer.provideMerge(SqlBackend.layer({ table, createTable: false }), its))
    return { context, owner, sql: Context.get(context, SqlClient) }
  })

let computed = 0
const city = cached((id: number) => Effect.sync(() => `${id} of ${++computed}`), {
  key: "city",
  ttl: "1 hour",
  groups: ["cities"]
})

const removals: Readonly<Record<string, Effect.Effect<unknown, CacheError, CacheBackend>>> = {
  invalidate: city.invalidate(1),
  delete: Effect.flatMap(CacheBackend, (cache) => cache.delete("other")),
  deleteMany: Effect.flatMap(CacheBackend, (cache) => cache.deleteMany(["other", "absent"])),
  invalidateGroup: Effect.flatMap(CacheBackend, (cache) => cache.invalidateGroup("cities")),
  clear: Effect.flatMap(CacheBackend, (cache) => cache.clear)
}

/** Whether the old values are served after the removal. */
const isServed = (name: string, before: string) =>
  name.startsWith("delete")
    ? Effect.flatMap(CacheBackend, (cache) => cache.has("other"))
    : Effect.map(city(1), (found) => found === before)

const fill = Effect.gen(function* () {
  const cache = yield* CacheBackend
  yield* cache.set("other", "x")
  return yield* city(1)
})

layer(client({ connections: 4 }), { excludeTestServices: true })("who lacks", (it) => {
  for (const [lack, lacking] of [
    ["a policy for DELETE", { policy: "DELETE" }],
    ["a policy for UPDATE", { policy: "UPDATE" }],
    ["the right to DELETE", { grant: "DELETE" }],
    ["the right to UPDATE", { grant: "UPDATE" }],
    ["a table without a trigger that keeps rows", { keepsRows: "DELETE" }]
  ] as const) {
    for (const [name, removal] of Object.entries(removals)) {
      it.scoped(`${lack} is told so by ${name}`, () =>
        Effect.gen(function* () {
          const { context, owner } = yield* ground(lacking)
          const before = yield* Effect.provide(fill, owner)
          const error = Either.getLeft(yield* Effect.either(Effect.provide(removal, context)))
          // a group gets a new version, which deletes nothing
          const updates = !Object.values(lacking).includes("UPDATE")
          if (name === "invalidateGroup" && updates) {
            expect(error).toEqual(Option.none())
            expect(yield* Effect.provide(isServed(name, before), owner)).toBe(false)
          } else {
            const { description, reason } = Option.getOrThrow(error)
            expect(reason).toBe("StoreFailed")
            expect(description).toMatch(/row-level security|row level security|permission denied/)
          }
        })
      )
    }
  }

  it.scoped("a policy for DELETE invalidates inside its transactions all the same, which only insert", () =>
    Effect.gen(function* () {
      const { context, owner, sql } = yield* ground({ policy: "DELETE" })
      for (const name of ["invalidate", "invalidateGroup", "clear"]) {
        const before = yield* Effect.provide(fill, owner)
        yield* Effect.provide(sql.withTransaction(removals[name] ?? Effect.die(name)), context)
        expect([name, yield* Effect.provide(isServed(name, before), owner)]).toEqual([name, false])
      }
    })
  )

  it.scoped("a table without a trigger that keeps rows out is told so by what would insert one", () =>
    Effect.gen(function* () {
      const { context, sql } = yield* ground({ keepsRows: "INSERT" })
      const inside = ["invalidate", "invalidateGroup", "clear"].map((name) =>
        sql.withTransaction(removals[name] ?? Effect.die(name))
      )
      const set = Effect.flatMap(CacheBackend, (cache) => cache.set("new", 1))
      for (const insertion of [...inside, set, sql.withTransaction(set)]) {
        const error = yield* Effect.flip(Effect.provide(insertion, context))
        expect(error).toMatchObject({ _tag: "CacheError", reason: "StoreFailed" })
      }
    })
  )

  it.scoped("the right to INSERT is told so inside a transaction", () =>
    Effect.gen(function* () {
      const { context, owner, sql } = yield* ground({ grant: "INSERT" })
      yield* Effect.provide(fill, owner)
      for (const name of ["invalidate", "invalidateGroup", "clear"]) {
        const error = yield* Effect.flip(
          Effect.provide(sql.withTransaction(removals[name] ?? Effect.die(name)), context)
        )
        expect(error).toMatchObject({ _tag: "CacheError", reason: "StoreFailed" })
      }
    })
  )
})
