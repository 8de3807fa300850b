/** What a purge promises, whatever the database. */
import type { SqlError } from "@effect/sql/SqlError"
import { expect } from "@effect/vitest"
import { Duration, Effect, Option, Schedule, type Scope } from "effect"
import type { ByteStore } from "../../../src/ByteStore.js"
import type { SqlStoreOptions } from "../../../src/internal/stores/sql/SqlStore.js"
import { key, record, text } from "./records.js"

/** Two stores on one table, and how many rows that has. */
export interface PurgeGround {
  readonly cache: ByteStore
  readonly other: ByteStore
  readonly count: Effect.Effect<number, SqlError>
}

export const until = (count: PurgeGround["count"], expected: (count: number) => boolean) =>
  Effect.repeat(count, {
    until: expected,
    schedule: Schedule.intersect(Schedule.spaced("20 millis"), Schedule.recurs(200))
  }).pipe(Effect.zipRight(count))

export const purgeCases = <E, R>(
  ground: (options: Partial<SqlStoreOptions>) => Effect.Effect<PurgeGround, E, R>
): Record<string, Effect.Effect<void, unknown, R | Scope.Scope>> => ({
  "several at once remove all that has expired and nothing else": Effect.gen(function* () {
    const { cache, count, other } = yield* ground({ purgeEvery: Duration.millis(20) })
    const items = Array.from({ length: 5_000 }, (_, index) => ({
      key: key(index),
      record: record("x", index % 10 === 0 ? 60_000 : 30)
    }))
    yield* cache.write(items)
    expect(yield* until(count, (rows) => rows <= 500)).toBe(500)
    expect((yield* other.read([key(0), key(4_990)])).map(text)).toEqual(["x", "x"])
  }),

  "never removes a record that was renewed in between": Effect.gen(function* () {
    const { cache } = yield* ground({ purgeEvery: Duration.millis(1) })
    for (let round = 0; round < 300; round++) {
      yield* cache.write([{ key: key(1), record: record("short", 1) }])
      yield* cache.write([{ key: key(1), record: record(`${round}`) }])
      yield* Effect.sleep("1 millis")
      expect((yield* cache.read([key(1)])).map(text)).toEqual([`${round}`])
    }
  }),

  "holds maxEntries within 10 %, sparing leases": Effect.gen(function* () {
    const { cache, count, other } = yield* ground({ maxEntries: 2_000 })
    const lease = yield* cache.add(key("lease"), record("lease", 30_000))
    let most = 0
    for (let round = 0; round < 80; round++) {
      yield* Effect.forEach(
        [cache, other],
        (each, index) =>
          each.write(
            Array.from({ length: 50 }, (_, item) => ({
              key: key(`${index}:${round}:${item}`),
              record: record("x", 120_000 + round * 1_000)
            }))
          ),
        { concurrency: "unbounded" }
      )
      most = Math.max(most, yield* count)
    }
    expect(most).toBeLessThanOrEqual(2_200)
    expect(yield* until(count, (rows) => rows <= 2_020)).toBeGreaterThanOrEqual(1_800)
    // the newest are there, and so is the lease
    expect((yield* cache.read([key("0:79:0")])).map(text)).toEqual(["x"])
    expect(Option.isSome(yield* cache.replace(key("lease"), Option.getOrThrow(lease), record("value")))).toBe(true)
    const size = cache.size === undefined ? undefined : yield* cache.size
    expect(Option.isSome(size?.entries ?? Option.none())).toBe(true)
    expect(Option.getOrElse(size?.evictions ?? Option.none(), () => 0)).toBeGreaterThan(0)
  })
})
