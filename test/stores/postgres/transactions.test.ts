import { SqlClient, TransactionConnection } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import { describe, expect, layer } from "@effect/vitest"
import { Context, Deferred, Duration, Effect, Either, Fiber, Layer, Option } from "effect"
import { CacheBackend } from "effect-cached"
import * as SqlBackend from "effect-cached/SqlBackend"
import { transactionTests } from "../../suites/sql/transactions.js"
import {
  client,
  freshTable,
  heldTransaction as held,
  key,
  outsideTransaction,
  postgres,
  record,
  store,
  text
} from "./support.js"

/** On a connection of the pool. */
const heldTransaction = <A, E>(work: Effect.Effect<A, E>) => Effect.flatMap(SqlClient, (sql) => held(sql, work))

describe("transactions on PostgreSQL", () => transactionTests(postgres))

layer(client({ connections: 12 }), { excludeTestServices: true })("transactions that meet", (it) => {
  it.scoped("who leased before the commit can't publish after it; who leases after it can", () =>
    Effect.gen(function* () {
      const cache = yield* store()
      const early = yield* cache.add(key(1), record("lease"))
      const held = yield* heldTransaction(cache.remove([key(1), key(2)]))
      const pending = yield* cache.add(key(2), record("lease"))
      // published before the commit: stored, and dead with it
      expect(Option.isSome(yield* cache.replace(key(2), Option.getOrThrow(pending), record("old")))).toBe(true)
      yield* held.end
      expect(yield* cache.replace(key(1), Option.getOrThrow(early), record("old"))).toEqual(Option.none())
      expect(yield* cache.read([key(1), key(2)])).toEqual([undefined, undefined])
      for (const name of [key(1), key(2)]) {
        const lease = yield* cache.add(name, record("lease"))
        expect(yield* cache.add(name, record("lease"))).toEqual(Option.none())
        expect(Option.isSome(yield* cache.replace(name, Option.getOrThrow(lease), record("new")))).toBe(true)
      }
      expect((yield* cache.read([key(1), key(2)])).map(text)).toEqual(["new", "new"])
    })
  )

  it.scoped("of two that set the same key without seeing each other, neither is believed", () =>
    Effect.gen(function* () {
      const cache = yield* store()
      const one = yield* heldTransaction(cache.write([{ key: key(1), record: record("one") }]))
      const two = yield* heldTransaction(cache.write([{ key: key(1), record: record("two") }]))
      yield* two.end
      expect((yield* cache.read([key(1)])).map(text)).toEqual(["two"])
      yield* one.end
      expect(yield* cache.read([key(1)])).toEqual([undefined])
      yield* cache.write([{ key: key(1), record: record("three") }])
      expect((yield* cache.read([key(1)])).map(text)).toEqual(["three"])
    })
  )

  it.scoped("clear inside hides what is stored while it is pending", () =>
    Effect.gen(function* () {
      const cache = yield* store({ purgeEvery: Duration.millis(20) })
      yield* cache.write([{ key: key(1), record: record("old") }])
      const lease = yield* cache.add(key(2), record("lease"))
      const held = yield* heldTransaction(cache.clear)
      yield* cache.write([{ key: key(3), record: record("meanwhile") }])
      expect((yield* cache.read([key(1), key(3)])).map(text)).toEqual(["old", "meanwhile"])
      yield* held.end
      expect(yield* cache.replace(key(2), Option.getOrThrow(lease), record("old"))).toEqual(Option.none())
      expect(yield* cache.read([key(1), key(2), key(3)])).toEqual([undefined, undefined, undefined])
      expect(Option.isSome(yield* cache.add(key(1), record("new")))).toBe(true)
      yield* Effect.sleep("150 millis")
      expect((yield* cache.read([key(1), key(2), key(3)])).map(text)).toEqual(["new", undefined, undefined])
    })
  )

  it.scoped("what is held exclusively delays nobody but those who write the same key", () =>
    Effect.gen(function* () {
      const cache = yield* store()
      const held = yield* heldTransaction(cache.add(key(1), record("mine")))
      expect(Option.isSome(held.result)).toBe(true)
      expect(yield* cache.add(key(1), record("other"))).toEqual(Option.none())
      const waiting = yield* Effect.forkScoped(cache.write([{ key: key(1), record: record("waits") }]))
      const removing = yield* Effect.forkScoped(cache.remove([key(1)]))
      yield* Effect.sleep("50 millis")
      const quick = Effect.gen(function* () {
        yield* cache.write([{ key: key(2), record: record("quick") }])
        yield* cache.remove([key(3)])
        return (yield* cache.read([key(1), key(2)])).map(text)
      })
      expect(yield* Effect.timeout(quick, "2 seconds")).toEqual([undefined, "quick"])
      expect(yield* Fiber.poll(waiting)).toEqual(Option.none())
      yield* held.end
      expect(yield* Fiber.join(waiting)).toEqual([])
      expect(yield* Fiber.join(removing)).toBeLessThanOrEqual(1)
    })
  )

  it.scoped("two transactions that add the same keys in opposite orders both go on", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const cache = yield* store()
      const both = (first: string, second: string, meet: Effect.Effect<unknown>) =>
        sql.withTransaction(
          Effect.gen(function* () {
            const one = yield* cache.add(first, record("x"))
            yield* meet
            return [one, yield* cache.add(second, record("x"))].map(Option.isSome)
          })
        )
      for (let round = 0; round < 10; round++) {
        const [a, b] = [key(`a${round}`), key(`b${round}`)]
        const [left, right] = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
        const meet = (mine: typeof left, other: typeof left) =>
          Effect.zipRight(Deferred.succeed(mine, undefined), Deferred.await(other))
        const results = yield* Effect.all([both(a, b, meet(left, right)), both(b, a, meet(right, left))], {
          concurrency: 2
        })
        expect(results).toEqual([
          [true, false],
          [true, false]
        ])
      }
    })
  )

  const changes: Readonly<
    Record<string, (cache: CacheBackend["Type"], of: string) => Effect.Effect<unknown, unknown>>
  > = {
    increment: (cache, of) => cache.increment(of),
    touch: (cache, of) => cache.touch(of, "1 hour")
  }
  for (const [name, change] of Object.entries(changes)) {
    it.scoped(`two transactions that ${name} the same keys in opposite orders end, and leave nothing locked`, () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        const cache = Context.get(yield* Layer.build(SqlBackend.layer({ table: freshTable() })), CacheBackend)
        yield* cache.setMany([
          ["a", 0],
          ["b", 0]
        ])
        const [left, right] = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
        const both = (first: string, second: string, mine: typeof left, other: typeof left) =>
          sql.withTransaction(
            Effect.gen(function* () {
              yield* change(cache, first)
              yield* Effect.zipRight(Deferred.succeed(mine, undefined), Deferred.await(other))
              yield* change(cache, second)
            })
          )
        const ends = yield* Effect.all(
          [both("a", "b", left, right), both("b", "a", right, left)].map((each) => Effect.either(each)),
          { concurrency: 2 }
        )
        const errors = ends.filter(Either.isLeft).map((end) => end.left)
        expect(errors.length).toBeGreaterThan(0)
        for (const error of errors) expect(error).toMatchObject({ _tag: "CacheError", reason: "StoreFailed" })
        // what one of them held is free again
        yield* Effect.forEach(["a", "b"], (of) => change(cache, of), { discard: true })
        expect(Option.isSome(yield* cache.get("a"))).toBe(true)
      })
    )
  }

  it.scoped("a value that a transaction derived from an older one does not outlive an invalidation in between", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const cache = yield* store()
      const set = (name: string, value: string) =>
        sql.withTransaction(cache.write([{ key: name, record: record(value) }]))
      /** Commits an invalidation before the statement that inserts the derived value. */
      const meddle = (name: string, [connection, depth]: readonly [Connection, number]) => {
        let removals = 0
        const its: Connection = Object.assign(Object.create(connection), {
          execute: (...args: Parameters<Connection["execute"]>) => {
            const { text: sent } = args[0] as unknown as { readonly text: string }
            if (!/^INSERT INTO .* snapshot, value/.test(sent)) return connection.execute(...args)
            removals++
            return Effect.zipRight(
              Effect.orDie(outsideTransaction(sql.withTransaction(cache.remove([name])))),
              connection.execute(...args)
            )
          }
        })
        return Effect.map(
          Effect.provideService(
            Effect.flatMap(cache.read([name]), ([found]) => cache.replace(name, found?.token, record("derived"))),
            TransactionConnection,
            [its, depth]
          ),
          (replaced) => ({ isReplaced: Option.isSome(replaced), removals })
        )
      }
      yield* set(key(1), "old")
      const outcome = yield* sql.withTransaction(
        Effect.flatMap(Effect.flatten(Effect.serviceOption(TransactionConnection)), (current) =>
          meddle(key(1), current)
        )
      )
      expect(outcome).toEqual({ isReplaced: true, removals: 1 })
      expect(yield* cache.read([key(1)])).toEqual([undefined])
    })
  )
})
