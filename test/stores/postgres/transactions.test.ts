import { SqlClient } from "@effect/sql/SqlClient"
import { expect, layer } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Option } from "effect"
import { client, freshTable, key, outsideTransaction as outside, record, store, text } from "./support.js"

/** A transaction that holds its locks until told to end. */
const heldTransaction = <A, E>(work: Effect.Effect<A, E>, ending: Effect.Effect<void, string> = Effect.void) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const worked = yield* Deferred.make<A, E>()
    const end = yield* Deferred.make<void>()
    const fiber = yield* Effect.intoDeferred(work, worked).pipe(
      Effect.zipRight(Deferred.await(end)),
      Effect.zipRight(ending),
      sql.withTransaction,
      Effect.forkScoped
    )
    const result = yield* Deferred.await(worked)
    return { result, end: Effect.zipRight(Deferred.succeed(end, undefined), Fiber.await(fiber)) }
  })

layer(client({ connections: 12 }), { excludeTestServices: true })("transactions", (it) => {
  it.scoped("what is done inside shows inside at once, outside with the commit", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const cache = yield* store()
      yield* cache.write([{ key: key(1), record: record("old") }])
      yield* sql.withTransaction(
        Effect.gen(function* () {
          expect(yield* cache.remove([key(1), key(2)])).toBe(1)
          expect(yield* cache.read([key(1)])).toEqual([undefined])
          expect(Option.isSome(yield* cache.add(key(1), record("added")))).toBe(true)
          expect((yield* cache.read([key(1)])).map(text)).toEqual(["added"])
          yield* cache.write([{ key: key(2), record: record("written") }])
          const [stored] = yield* cache.read([key(2)])
          expect(Option.isSome(yield* cache.replace(key(2), stored?.token, record("replaced")))).toBe(true)
          expect(yield* cache.replace(key(2), stored?.token, record("again"))).toEqual(Option.none())
          expect((yield* outside(cache.read([key(1), key(2)]))).map(text)).toEqual(["old", undefined])
        })
      )
      expect((yield* cache.read([key(1), key(2)])).map(text)).toEqual(["added", "replaced"])
      expect(yield* cache.remove([key(1), key(2)])).toBe(2)
      expect(yield* cache.read([key(1), key(2)])).toEqual([undefined, undefined])
    })
  )

  it.scoped("many keys that are read together mean what each means alone", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const cache = yield* store()
      const names = ["small", "large", "empty", "expired", "changed", "removed", "absent", "changed and large", "last"]
      const keys = names.map((name) => key(name.replaceAll(" ", "-")))
      const [
        small = "",
        large = "",
        empty = "",
        expired = "",
        changed = "",
        removed = "",
        ,
        changedLarge = "",
        last = ""
      ] = keys
      const huge = "l".repeat(70_000)
      yield* cache.write([
        { key: small, record: record("small") },
        { key: large, record: record(huge) },
        { key: empty, record: record("") },
        { key: expired, record: record("expired", 1) },
        { key: changed, record: record("before") },
        { key: removed, record: record("removed") },
        { key: last, record: record("last") }
      ])
      yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* cache.write([
            { key: changed, record: record("after") },
            { key: changedLarge, record: record(`changed ${huge}`) }
          ])
          yield* cache.remove([removed])
        })
      )
      const alike = Effect.gen(function* () {
        const together = yield* cache.read(keys)
        const alone = yield* Effect.forEach(keys, (one) => Effect.map(cache.read([one]), ([found]) => found))
        expect(together).toEqual(alone)
        return together.map((found) => text(found)?.slice(0, 9))
      })
      yield* Effect.sleep("5 millis")
      const gone = undefined
      const cut = "l".repeat(9)
      expect(yield* alike).toEqual(["small", cut, "", gone, "after", gone, gone, "changed l", "last"])
      const found = yield* cache.read(keys)
      expect(Option.isSome(yield* cache.replace(changed, found[4]?.token, record("replaced")))).toBe(true)
      expect(Option.isSome(yield* cache.replace(large, found[1]?.token, record(`x${huge}`)))).toBe(true)
      yield* sql.withTransaction(cache.clear)
      expect(yield* alike).toEqual(keys.map(() => gone))
      yield* cache.write([
        { key: small, record: record("anew") },
        { key: large, record: record(huge) }
      ])
      expect(yield* alike).toEqual(["anew", cut, gone, gone, gone, gone, gone, gone, gone])
    })
  )

  it.scoped("a rollback takes everything back", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const cache = yield* store()
      yield* cache.write([{ key: key(1), record: record("old") }])
      const [before] = yield* cache.read([key(1)])
      const exit = yield* Effect.exit(
        sql.withTransaction(
          Effect.gen(function* () {
            yield* cache.remove([key(1)])
            yield* cache.add(key(3), record("x"))
            yield* cache.clear
            yield* cache.write([{ key: key(2), record: record("y") }])
            return yield* Effect.fail("changed my mind")
          })
        )
      )
      expect(Exit.isFailure(exit)).toBe(true)
      expect((yield* cache.read([key(1), key(2), key(3)])).map(text)).toEqual(["old", undefined, undefined])
      expect(Option.isSome(yield* cache.replace(key(1), before?.token, record("new")))).toBe(true)
    })
  )

  it.scoped("a cache statement that fails leaves the transaction as it was", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const mine = freshTable()
      yield* sql`CREATE TABLE ${sql(mine)} (id int)`
      const missing = yield* store({ createTable: false })
      yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* sql`INSERT INTO ${sql(mine)} VALUES (1)`
          const errors = yield* Effect.all([
            Effect.flip(missing.read([key(1)])),
            Effect.flip(missing.write([{ key: key(1), record: record("x") }])),
            Effect.flip(missing.add(key(1), record("x"))),
            Effect.flip(missing.remove([key(1)])),
            Effect.flip(missing.clear)
          ])
          expect(errors.map((error) => error.reason)).toEqual(Array(5).fill("StoreFailed"))
          yield* sql`INSERT INTO ${sql(mine)} VALUES (2)`
        })
      )
      expect(yield* sql`SELECT id FROM ${sql(mine)} ORDER BY id`).toEqual([{ id: 1 }, { id: 2 }])
    })
  )

  it.scoped("of fibers in one transaction, one that fails takes nothing from the others", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const cache = yield* store()
      const numbers = Array.from({ length: 40 }, (_, index) => index)
      const outcomes = yield* sql.withTransaction(
        Effect.forEach(
          numbers,
          (number) =>
            Effect.isSuccess(
              cache.write([{ key: number % 2 === 0 ? key(number) : `${key(number)}\0`, record: record("good") }])
            ),
          { concurrency: "unbounded" }
        )
      )
      expect(outcomes).toEqual(numbers.map((number) => number % 2 === 0))
      const good = numbers.filter((number) => number % 2 === 0).map(key)
      expect((yield* cache.read(good)).map(text)).toEqual(good.map(() => "good"))
    })
  )

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

  it.scoped("hundreds of operations in one transaction", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const cache = yield* store()
      yield* sql.withTransaction(
        Effect.forEach(Array.from({ length: 300 }), (_, index) => cache.remove([key(index % 10)]), { discard: true })
      )
      expect(Option.isSome(yield* cache.add(key(1), record("x")))).toBe(true)
    })
  )
})
