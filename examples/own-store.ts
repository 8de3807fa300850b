/**
 * A backend of your own: six primitives over bytes, each atomic. Here the server is a Map; for a real one each primitive
 * is a command that the server executes atomically, and its failures become a `CacheError`. Run `cacheBackendSuite` of
 * `effect-cached/testing` against it.
 */
import { Clock, Console, Effect, Option } from "effect"
import { ByteStore, cached, invalidateGroup, StoreBackend } from "effect-cached"

interface Row {
  readonly bytes: Uint8Array
  readonly until: number
  /** Different for every write: the token. */
  readonly revision: number
}

const makeMapStore = (): ByteStore.ByteStore => {
  const rows = new Map<string, Row>()
  let revisions = 0

  const live = (key: string, now: number): Row | undefined => {
    const row = rows.get(key)
    return row !== undefined && now < row.until ? row : undefined
  }

  const put = (key: string, { bytes, lifetime }: ByteStore.ByteRecord, now: number): number => {
    const revision = ++revisions
    rows.set(key, { bytes, until: now + lifetime, revision })
    return revision
  }

  return {
    name: "map",
    read: (keys) =>
      Effect.map(Clock.currentTimeMillis, (now) =>
        keys.map((key) => {
          const row = live(key, now)
          return row === undefined ? undefined : { token: row.revision, bytes: row.bytes }
        })
      ),
    write: (items) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        for (const { key, record } of items) put(key, record, now)
        return [] // nothing was too large
      }),
    add: (key, record) =>
      Effect.map(Clock.currentTimeMillis, (now) =>
        live(key, now) === undefined ? Option.some(put(key, record, now)) : Option.none()
      ),
    replace: (key, token, record) =>
      Effect.map(Clock.currentTimeMillis, (now) =>
        live(key, now)?.revision === token ? Option.some(put(key, record, now)) : Option.none()
      ),
    remove: (keys) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const lived = keys.filter((key) => live(key, now) !== undefined)
        for (const key of keys) rows.delete(key)
        return lived.length
      }),
    clear: Effect.sync(() => rows.clear())
  }
}

const layer = StoreBackend.layer(
  Effect.sync(() => ByteStore.toCacheStore(makeMapStore())),
  { namespace: "shop" }
)

let computations = 0

const price = cached(
  (article: string) =>
    Effect.sync(() => {
      computations++
      return { article, cents: 1_299n, since: new Date("2026-01-01") }
    }),
  { key: "price", ttl: "10 minutes", groups: ["prices"] }
)

const program = Effect.gen(function* () {
  yield* Effect.all(
    Array.from({ length: 100 }, () => price("teapot")),
    { concurrency: "unbounded" }
  )
  const { cents, since } = yield* price("teapot")
  yield* Console.log(
    `101 calls, ${computations} computation; out of bytes came ${cents} cents since ${since.toISOString()}`
  )
  yield* invalidateGroup("prices")
  yield* price("teapot")
  yield* Console.log(`after the group was invalidated: ${computations} computations`)
})

Effect.runPromise(program.pipe(Effect.provide(layer)))
