/** Rows that another program wrote into the table of the cache. */
import { SqlClient } from "@effect/sql/SqlClient"
import { expect, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { CacheBackend, cached } from "effect-cached"
import * as SqlBackend from "effect-cached/SqlBackend"
import { Keyspace } from "../../../src/internal/entries/keyspace.js"
import { hostileNamespace, hostileRecords } from "../hostileRecords.js"
import { clientOn, type Database } from "./ground.js"

export interface HostileRows {
  /** SQL that inserts a record or overwrites it: key and value are the parameters. */
  readonly put: (table: string) => string
  /** SQL that damages the row under the key, the parameter. */
  readonly damages: (table: string) => ReadonlyArray<readonly [what: string, sql: string]>
}

export const hostileRows = (database: Database, { damages, put }: HostileRows): void => {
  const ground = Effect.gen(function* () {
    const { table, ...place } = yield* database.place
    const sql = yield* clientOn(place)
    const layer = Layer.provide(
      SqlBackend.layer({ table, namespace: hostileNamespace, timeout: "1 minute" }),
      Layer.succeed(SqlClient, sql)
    )
    return {
      layer: Layer.succeedContext(yield* Layer.build(layer)),
      sql,
      table,
      raw: {
        read: (key: string) =>
          Effect.orDie(
            Effect.map(
              sql<{ readonly value: Uint8Array }>`SELECT value FROM ${sql(table)} WHERE key = ${key}`,
              ([row]) => Buffer.from(row?.value ?? [])
            )
          ),
        write: (key: string, bytes: Uint8Array) => Effect.orDie(sql.unsafe(put(table), [key, Buffer.from(bytes)]))
      }
    }
  })

  hostileRecords(ground)

  it.scopedLive("a row without what each record has is a miss that is overwritten", () =>
    Effect.gen(function* () {
      const { layer, sql, table } = yield* ground
      const program = Effect.gen(function* () {
        const cache = yield* CacheBackend
        let computed = 0
        const count = cached(
          Effect.sync(() => ++computed),
          { key: "count", ttl: "1 hour", lease: "1 hour", groups: ["g"] }
        )
        const key = (printed: string) => Keyspace.under(hostileNamespace, 1).finish(printed)
        const groupKey = (yield* sql<{
          readonly key: string
        }>`SELECT key FROM ${sql(table)} WHERE key LIKE '%group%'`)[0]?.key
        expect(groupKey).toBeUndefined()
        for (const [what, damage] of damages(table)) {
          const before = yield* count
          yield* sql.unsafe(damage, [key(count.cacheKey)])
          expect(yield* Effect.timeout(count, "60 seconds"), what).toBe(before + 1)
          expect(yield* count, what).toBe(before + 1)

          const [row] = yield* sql<{ readonly key: string }>`SELECT key FROM ${sql(table)} WHERE key LIKE '%group%'`
          yield* sql.unsafe(damage, [row?.key])
          expect(yield* Effect.timeout(count, "60 seconds"), what).toBe(before + 2)
          expect(yield* count, what).toBe(before + 2)

          yield* cache.set("direct", 1)
          yield* sql.unsafe(damage, [key("direct")])
          expect(yield* cache.get("direct"), what).toEqual(Option.none())
          expect(yield* cache.add("direct", 2), what).toBe(true)
          expect(yield* cache.get("direct"), what).toEqual(Option.some(2))
          yield* cache.set("direct", 1)
          yield* sql.unsafe(damage, [key("direct")])
          expect(yield* sql.withTransaction(cache.add("direct", 3)), what).toBe(true)
          expect(yield* cache.get("direct"), what).toEqual(Option.some(3))
        }
      })
      yield* Effect.provide(program, layer)
    })
  )
}
