/** A role whose transactions are serializable by default, and programs whose own transactions are: who has to try again? */
import { SqlClient } from "@effect/sql"
import { Effect, Exit } from "effect"
import { CacheBackend, cached } from "effect-cached"
import { pools, sourceTable } from "./pools.js"
import { count, type Scenario, storeTitles } from "./scenario.js"

const increments = 200
const coldKeys = 20
const ownTransactions = 300

const failures = (exits: ReadonlyArray<Exit.Exit<unknown, unknown>>) => exits.filter(Exit.isFailure).length

export const serializable: Scenario = ({ server, store }) =>
  Effect.gen(function* () {
    if (store !== "sql") return []
    const { store: description } = yield* server({ faulty: false })
    const members = yield* pools(description, 4, { default_transaction_isolation: "serializable" })
    const [first] = members
    if (first === undefined || description._tag !== "sql") return []
    const memberOf = (index: number) => members[index % members.length] ?? first
    const each = <A, E>(
      times: number,
      one: (index: number) => Effect.Effect<A, E, CacheBackend | SqlClient.SqlClient>
    ) =>
      Effect.forEach(
        Array.from({ length: times }, (_, index) => index),
        (index) => Effect.exit(memberOf(index).provided(one(index))),
        { concurrency: 32 }
      )

    yield* first.provided(Effect.flatMap(CacheBackend, (cache) => cache.set("counter", 0)))
    const counted = failures(
      yield* each(increments, () => Effect.flatMap(CacheBackend, (cache) => cache.increment("counter")))
    )
    const total = yield* first.provided(Effect.flatMap(CacheBackend, (cache) => cache.get("counter")))

    let computations = 0
    const item = cached((key: number) => Effect.as(Effect.sleep("20 millis"), `${key}:${++computations}`), {
      key: "serializable",
      ttl: "10 minutes",
      groups: ["items"]
    })
    const calls = failures(yield* each(coldKeys * members.length * 4, (index) => item(index % coldKeys)))
    const cold = computations
    const invalidated = failures(yield* each(200, (index) => item.invalidate(index % coldKeys)))

    const source = yield* sourceTable(first, `${description.table}_own`, "id int PRIMARY KEY, n int NOT NULL")
    yield* first.sql.unsafe(`INSERT INTO ${source} SELECT id, 0 FROM generate_series(0, ${ownTransactions - 1}) id`)
    const aborted = failures(
      yield* each(ownTransactions, (index) =>
        Effect.flatMap(SqlClient.SqlClient, (sql) =>
          sql.withTransaction(
            Effect.zipRight(
              sql.unsafe(`UPDATE ${source} SET n = n + 1 WHERE id = $1`, [index]),
              item.invalidate(1_000 + index)
            )
          )
        )
      )
    )
    return [
      {
        what: `a role with default_transaction_isolation = serializable, 4 pools: failed of ${increments} increments, 320 calls of ${coldKeys} cold keys, 200 invalidations`,
        store: storeTitles[store],
        measured: `${counted}, ${calls}, ${invalidated} (the counter says ${String(total._tag === "Some" ? total.value : "nothing")}, ${count(cold)} computations)`,
        kept:
          counted + calls + invalidated === 0 &&
          cold === coldKeys &&
          total._tag === "Some" &&
          total.value === increments
      },
      {
        what: `${ownTransactions} serializable transactions, each with its own row and its own invalidation: aborted`,
        store: storeTitles[store],
        measured: `${aborted}`,
        kept: aborted === 0
      }
    ]
  })
