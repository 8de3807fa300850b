/**
 * Transactions that change a row and invalidate it: how soon do the tiers of other processes know, which are told by the commit
 * alone?
 */
import { SqlClient } from "@effect/sql"
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, Redacted } from "effect"
import { CacheBackend, cached, TieredBackend } from "effect-cached"
import * as PgBus from "effect-cached/PgBus"
import * as SqlBackend from "effect-cached/SqlBackend"
import { stamp } from "../../cluster/history.js"
import { count, percentile, type Scenario, storeTitles } from "../scenario.js"

const transactions = 500
const processes = 4
/** Nothing but the bus tells the others in time. */
const maxStaleness = "1 hour"
const soonEnough = 1_000

export const commits: Scenario = ({ server, store }) =>
  Effect.gen(function* () {
    if (store !== "sql") return []
    const { store: description } = yield* server({ faulty: false })
    if (description._tag !== "sql") return []
    const process = Layer.build(
      Layer.fresh(
        TieredBackend.layer({ maxStaleness, maxBusSilence: "10 seconds" }).pipe(
          Layer.provide(SqlBackend.layer({ table: description.table })),
          Layer.provide(PgBus.layer({ channel: description.table })),
          Layer.provideMerge(PgClient.layer({ url: Redacted.make(description.url), maxConnections: 4 }))
        )
      )
    )
    const all = yield* Effect.forEach(Array.from({ length: processes }), () => process)
    const [writer, ...others] = all
    if (writer === undefined) return []
    let version = 0
    const row = cached((_id: number) => Effect.sync(() => version), { key: "row", ttl: "1 hour" })
    const seenBy = (context: Context.Context<CacheBackend>) =>
      Effect.provideService(row(1), CacheBackend, Context.get(context, CacheBackend))
    const sql = Context.get(writer, SqlClient.SqlClient)
    yield* Effect.sleep("1 second")
    yield* Effect.forEach(all, (one) => Effect.repeatN(seenBy(one), 2))
    const lags: Array<number> = []
    let early = 0
    for (let made = 0; made < transactions; made++) {
      yield* Effect.provide(
        sql.withTransaction(
          Effect.gen(function* () {
            yield* row.invalidate(1)
            yield* Effect.sleep("1 millis")
            // Not committed: the others are to be told nothing.
            for (const one of others) if ((yield* seenBy(one)) !== version) early++
          })
        ),
        writer
      )
      const committed = stamp()
      version++
      yield* Effect.forEach(
        others,
        (one) =>
          Effect.gen(function* () {
            while ((yield* seenBy(one)) !== version && stamp() < committed + 10_000) yield* Effect.sleep("1 millis")
            lags.push(stamp() - committed)
          }),
        { concurrency: "unbounded", discard: true }
      )
    }
    const longest = Math.max(...lags)
    return [
      {
        what: `${count(transactions)} transactions with an invalidation, tiers in ${processes - 1} other processes (maxStaleness ${maxStaleness}): told by the commit after`,
        store: storeTitles[store],
        measured: `${percentile(lags, 0.5).toFixed(1)} ms in the median, ${longest.toFixed(0)} ms at most; before it ${early} times`,
        kept: longest < soonEnough && early === 0
      }
    ]
  })
