/** Transactions that change a row and invalidate its group, beside readers: does a read see what was committed before it began? */
import { monitorEventLoopDelay } from "node:perf_hooks"
import { SqlClient } from "@effect/sql"
import { Effect, Fiber } from "effect"
import { cached, invalidateGroup } from "effect-cached"
import { stamp } from "../cluster/history.js"
import { type Pool, pools, sourceTable } from "./pools.js"
import { count, percentile, type Scenario, storeTitles } from "./scenario.js"

const perSecond = 50
const readersPerPool = 8
const cities = 20
const manyTransactions = 10_000

const cityOf = (source: string) =>
  cached(
    (id: number) =>
      Effect.flatMap(SqlClient.SqlClient, (sql) =>
        Effect.map(
          sql.unsafe<{ readonly n: number }>(`SELECT n FROM ${source} WHERE id = $1`, [id]),
          ([row]) => row?.n ?? -1
        )
      ),
    { key: "transactions", ttl: "10 minutes", groups: ["cities"] }
  )

/** Changes the row and invalidates what was cached of it, or neither. */
const change = (source: string, id: number) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) =>
    sql.withTransaction(
      Effect.zipRight(sql.unsafe(`UPDATE ${source} SET n = n + 1 WHERE id = $1`, [id]), invalidateGroup("cities"))
    )
  )

const median = (values: ReadonlyArray<number>) => percentile(values, 0.5)

export const transactions =
  (seconds: number): Scenario =>
  ({ server, store }) =>
    Effect.gen(function* () {
      if (store !== "sql") return []
      const { store: description } = yield* server({ faulty: false })
      const [writer, ...readers] = yield* pools(description, 3)
      if (writer === undefined || description._tag !== "sql") return []
      const source = yield* sourceTable(writer, `${description.table}_source`, "id int PRIMARY KEY, n int NOT NULL")
      yield* writer.sql.unsafe(`INSERT INTO ${source} SELECT id, 0 FROM generate_series(0, ${cities - 1}) id`)
      const city = cityOf(source)
      const rows = Effect.map(
        writer.sql.unsafe<{ readonly n: number }>(`SELECT count(*)::int AS n FROM ${description.table}`),
        ([row]) => row?.n ?? 0
      )
      const hit = (pool: Pool) =>
        Effect.gen(function* () {
          const begin = stamp()
          yield* city(0)
          return stamp() - begin
        }).pipe(pool.provided)
      const hits = (pool: Pool) => Effect.map(Effect.replicateEffect(hit(pool), 500), median)

      // What each city was changed to by transactions that have ended.
      const committed = Array.from({ length: cities }, () => 0)
      const until = stamp() + seconds * 1_000
      let reads = 0
      let old = 0
      const delays = monitorEventLoopDelay({ resolution: 10 })
      delays.enable()
      const reader = (pool: Pool) =>
        Effect.gen(function* () {
          const id = Math.floor(Math.random() * cities)
          const least = committed[id] ?? 0
          reads++
          if ((yield* city(id)) < least) old++
          yield* Effect.sleep("1 millis")
        }).pipe(Effect.repeat({ while: () => stamp() < until }), pool.provided)
      const reading = yield* Effect.fork(
        Effect.forEach(
          readers.flatMap((pool) => Array.from({ length: readersPerPool }, () => reader(pool))),
          (one) => one,
          { concurrency: "unbounded", discard: true }
        )
      )
      let made = 0
      const sizes: Array<number> = []
      const begun = stamp()
      while (stamp() < until) {
        const id = made++ % cities
        yield* writer.provided(change(source, id))
        committed[id] = (committed[id] ?? 0) + 1
        if (made % Math.ceil((perSecond * seconds) / 4) === 0) sizes.push(yield* rows)
        yield* Effect.sleep(Math.max(0, begun + (made * 1_000) / perSecond - stamp()))
      }
      yield* Fiber.join(reading)
      delays.disable()
      const blocked = delays.max / 1e6

      yield* hit(writer)
      const before = yield* hits(writer)
      yield* Effect.forEach(Array.from({ length: manyTransactions }), () => writer.provided(change(source, 1)), {
        concurrency: 8,
        discard: true
      })
      const first = yield* hit(writer)
      const after = yield* hits(writer)
      const where = storeTitles[store]
      return [
        {
          what: `${count(made)} transactions (${perSecond} a second) that each invalidate one group, beside readers in two pools: reads older than a commit`,
          store: where,
          measured: `${count(old)} of ${count(reads)}; rows ${sizes.join(" → ")}; the event loop stood still for ${blocked.toFixed(0)} ms at most`,
          kept: old === 0 && (sizes.at(-1) ?? 0) <= (sizes[0] ?? 0) * 1.5 + 100
        },
        {
          what: `a hit before and after ${count(manyTransactions)} such transactions on its group`,
          store: where,
          measured: `${before.toFixed(2)} → ${after.toFixed(2)} ms (the first call ${first.toFixed(0)} ms)`,
          kept: after < before * 2 + 0.5
        }
      ]
    })
