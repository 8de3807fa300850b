/**
 * Whoever reads the cache after a commit never sees what stood there before it, in any order of the steps of user
 * transactions, invalidations, and readers that lease, compute and publish, on real connections.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { expect, layer } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Option, Queue, type Scope } from "effect"
import * as fc from "fast-check"
import type { ByteStore } from "../../../src/ByteStore.js"
import type { Token } from "../../../src/CacheStore.js"
import { runs } from "../../support/size.js"
import { client, freshTable, key, record, store, text } from "./support.js"

const keys = [key("a"), key("b"), key("c")]
const lease = "lease"

/** One user transaction that takes its steps when told to. */
const transaction = (isolation: string) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const steps = yield* Queue.unbounded<Effect.Effect<boolean, unknown>>()
    const fiber = yield* sql`SET TRANSACTION ISOLATION LEVEL ${sql.literal(isolation)}`.pipe(
      Effect.zipRight(
        Effect.repeat(
          Effect.flatMap(Queue.take(steps), (step) => step),
          { until: (isOver) => isOver }
        )
      ),
      sql.withTransaction,
      Effect.forkScoped
    )
    /** The step runs inside the transaction's fiber, hence on its connection. */
    const step = <A, E>(effect: Effect.Effect<A, E>, isOver = false) =>
      Effect.gen(function* () {
        const done = yield* Deferred.make<A, E>()
        yield* Queue.offer(
          steps,
          Effect.flatMap(Effect.exit(effect), (exit) => Effect.as(Deferred.done(done, exit), isOver))
        )
        return yield* Deferred.await(done)
      })
    return {
      step,
      commit: Effect.zipRight(step(Effect.void, true), Fiber.await(fiber)),
      rollback: Effect.zipRight(Queue.offer(steps, Effect.fail("rollback")), Fiber.await(fiber))
    }
  })

type Transaction = Effect.Effect.Success<ReturnType<typeof transaction>>

interface Actor {
  /** Takes the next step; all of them come round again. */
  readonly next: Effect.Effect<void, unknown, SqlClient | Scope.Scope>
}

/** The truth: a version a key, and the least version that a read may still return. */
const world = (cache: ByteStore, source: string) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const floor = new Map(keys.map((name) => [name, 0]))
    const held = new Set<string>()
    const violations: Array<string> = []
    const versionOf = (name: string) =>
      Effect.map(
        sql<{ readonly version: number }>`SELECT version FROM ${sql(source)} WHERE key = ${name}`,
        (rows) => rows[0]?.version ?? 0
      )

    const look = (name: string) =>
      Effect.gen(function* () {
        const least = floor.get(name) ?? 0
        const [stored] = yield* cache.read([name])
        const found = text(stored)
        if (found !== undefined && found !== lease && Number(found) < least) {
          violations.push(`${name}: read ${found} after ${least} was committed`)
        }
        return { found, token: stored?.token }
      })

    const reader = (choose: () => string): Actor => {
      let state:
        | { readonly at: "look" }
        | {
            readonly at: "compute" | "publish"
            readonly name: string
            readonly token: Token
            readonly version: number
          } = { at: "look" }
      return {
        next: Effect.gen(function* () {
          if (state.at === "look") {
            const name = choose()
            const { found, token } = yield* look(name)
            if (found !== undefined && found !== lease) return
            const leased =
              token === undefined
                ? yield* cache.add(name, record(lease))
                : yield* cache.replace(name, token, record(lease))
            if (Option.isSome(leased)) state = { at: "compute", name, token: leased.value, version: 0 }
          } else if (state.at === "compute") {
            state = { ...state, at: "publish", version: yield* versionOf(state.name) }
          } else {
            const { name, token, version } = state
            state = { at: "look" }
            yield* cache.replace(name, token, record(`${version}`))
          }
        })
      }
    }

    const writer = (choose: () => string, style: () => number): Actor => {
      let open: { readonly transaction: Transaction; readonly changed: Map<string, number>; left: number } | undefined
      const invalidations = new Set<string>()
      return {
        next: Effect.gen(function* () {
          if (open === undefined) {
            if (invalidations.size > 0) {
              // the commit came first, the invalidation comes after it
              const names = [...invalidations]
              invalidations.clear()
              const versions = yield* Effect.forEach(names, versionOf)
              yield* cache.remove(names)
              names.forEach((name, index) => {
                floor.set(name, Math.max(floor.get(name) ?? 0, versions[index] ?? 0))
              })
              return
            }
            const isolation = ["READ COMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"][style() % 4]
            open = {
              transaction: yield* transaction(isolation ?? ""),
              changed: new Map(),
              left: 1 + (style() % 4)
            }
            return
          }
          const { changed, transaction: inner } = open
          if (open.left-- > 0) {
            const name = choose()
            if (held.has(name) && !changed.has(name)) return
            held.add(name)
            changed.set(name, changed.get(name) ?? 0)
            const step = Effect.gen(function* () {
              yield* sql`UPDATE ${sql(source)} SET version = version + 1 WHERE key = ${name}`
              const version = yield* versionOf(name)
              changed.set(name, version)
              const kind = style() % 5
              if (kind === 0) invalidations.add(name)
              else {
                invalidations.delete(name)
                if (kind === 1) yield* cache.write([{ key: name, record: record(`${version}`) }])
                else if (kind === 2) yield* cache.clear
                else yield* cache.remove([name])
              }
            })
            const exit = yield* Effect.exit(inner.step(step))
            // a serialization failure: the user's own statement lost
            if (Exit.isFailure(exit)) open.left = -100
            return
          }
          const commits = open.left > -50 && style() % 4 !== 0
          open = undefined
          const exit = yield* commits ? inner.commit : inner.rollback
          if (!commits || Exit.isFailure(exit)) invalidations.clear()
          else {
            for (const [name, version] of changed) {
              if (!invalidations.has(name)) floor.set(name, Math.max(floor.get(name) ?? 0, version))
            }
          }
          for (const name of changed.keys()) held.delete(name)
        })
      }
    }
    return { reader, writer, look, violations }
  })

const step = fc.record({ actor: fc.nat(5), pick: fc.nat(keys.length - 1), style: fc.nat(19) })

layer(client({ connections: 12 }), { excludeTestServices: true })("interleavings", (it) => {
  const scenario = (
    steps: ReadonlyArray<{ readonly actor: number; readonly pick: number; readonly style: number }>,
    purgeEvery: Duration.Duration
  ) =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const source = freshTable()
      yield* sql`CREATE UNLOGGED TABLE ${sql(source)} AS SELECT unnest(${keys}::text[]) AS key, 0 AS version`
      const cache = yield* store({ purgeEvery })
      const { look, reader, violations, writer } = yield* world(cache, source)
      let pick = 0
      let style = 0
      const choose = () => keys[pick] ?? ""
      const actors: ReadonlyArray<Actor> = [
        reader(choose),
        reader(choose),
        reader(choose),
        writer(choose, () => style),
        writer(choose, () => style),
        { next: Effect.asVoid(Effect.suspend(() => look(choose()))) }
      ]
      for (const one of steps) {
        pick = one.pick
        style = one.style
        yield* actors[one.actor]?.next ?? Effect.void
      }
      yield* Effect.forEach(keys, look)
      expect(violations).toEqual([])
    }).pipe(Effect.scoped)

  it.effect.prop(
    "no read is older than a commit that invalidated, or that an invalidation followed",
    [fc.array(step, { minLength: 40, maxLength: 120 })],
    ([steps]) => scenario(steps, Duration.minutes(10)),
    { fastCheck: { numRuns: runs(20), endOnFailure: true } }
  )

  it.effect.prop(
    "nor while the purge folds the changes in",
    [fc.array(step, { minLength: 40, maxLength: 120 })],
    ([steps]) => scenario(steps, Duration.millis(2)),
    { fastCheck: { numRuns: runs(10), endOnFailure: true } }
  )
})
