/**
 * A backend of your own: six primitives over bytes, each atomic. Here the server is a Map. For a real one each primitive
 * is a command that the server executes atomically, and its failures become a `CacheError`. Run `cacheBackendSuite` of
 * `effect-cached/testing` against it.
 */
import { Clock, Console, Effect, Option } from "effect"
import { ByteStore, cached, invalidateGroup, StoreBackend } from "effect-cached"

interface Row extends ByteStore.StoredBytes {
  readonly until: number
}

const makeMapStore = (): ByteStore.ByteStore => {
  const rows = new Map<string, Row>()
  let writes = 0

  const atomic = <A>(step: (now: number) => A): Effect.Effect<A> => Effect.map(Clock.currentTimeMillis, step)

  const live = (key: string, now: number): Row | undefined => {
    const row = rows.get(key)
    return row !== undefined && now < row.until ? row : undefined
  }

  /** The token is different for every write. */
  const put = (key: string, { bytes, lifetime }: ByteStore.ByteRecord, now: number): ByteStore.StoredBytes["token"] => {
    rows.set(key, { token: ++writes, bytes, until: now + lifetime })
    return writes
  }

  return {
    name: "map",
    read: (keys) => atomic((now) => keys.map((key) => live(key, now))),
    write: (items) =>
      atomic((now) => {
        for (const { key, record } of items) put(key, record, now)
        return [] // nothing was too large
      }),
    add: (key, record) => atomic((now) => (live(key, now) ? Option.none() : Option.some(put(key, record, now)))),
    replace: (key, token, record) =>
      atomic((now) => (live(key, now)?.token === token ? Option.some(put(key, record, now)) : Option.none())),
    remove: (keys) => atomic((now) => keys.filter((key) => live(key, now) !== undefined && rows.delete(key)).length),
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
