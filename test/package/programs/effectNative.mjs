/** `PersistedCache` and a `KeyValueStore` over a cache whose values are compressed and encrypted, and the live view of it. */
import { PersistedCache } from "@effect/experimental"
import { HttpApp, KeyValueStore } from "@effect/platform"
import { Effect, Layer, PrimaryKey, Redacted, Schema } from "effect"
import { CacheBackend, MemoryBackend, NoopBackend, StoreBackend } from "effect-cached"
import * as Compression from "effect-cached/Compression"
import * as Dashboard from "effect-cached/Dashboard"
import * as Encryption from "effect-cached/Encryption"
import * as Store from "effect-cached/KeyValueStore"
import * as Persistence from "effect-cached/Persistence"

class Double extends Schema.TaggedRequest()("Double", {
  payload: { n: Schema.Number },
  success: Schema.Number,
  failure: Schema.Never
}) {
  [PrimaryKey.symbol]() {
    return `${this.n}`
  }
}

let looked = 0
const doubled = Effect.gen(function* () {
  const cache = yield* PersistedCache.make({
    storeId: "doubles",
    lookup: ({ n }) => Effect.sync(() => n * 2 + looked++),
    timeToLive: () => "1 minute"
  })
  return yield* cache.get(new Double({ n: 21 }))
})

const program = Effect.gen(function* () {
  yield* Effect.scoped(doubled)
  const store = yield* KeyValueStore.KeyValueStore
  yield* store.set("doubled", `${yield* Effect.scoped(doubled)}`)
  const view = HttpApp.toWebHandler(Effect.provideService(Dashboard.httpApp(), CacheBackend, yield* CacheBackend))
  yield* Effect.promise(() => lookAt(view))
  return yield* Effect.flatten(store.get("doubled"))
})

/** Every kind of answer: the page, its samples, and what it asks for. */
const lookAt = async (view) => {
  const origin = "http://127.0.0.1"
  const page = await (await view(new Request(`${origin}/`))).text()
  // Its charts are drawn by a dependency, which npm has installed.
  if (!page.includes("var uPlot=")) throw new Error(page)
  const reader = (await view(new Request(`${origin}/?events`))).body.getReader()
  const sample = new TextDecoder().decode((await reader.read()).value)
  await reader.cancel()
  if (!sample.includes('"hits":1')) throw new Error(sample)
  const headers = {
    origin,
    host: "127.0.0.1",
    "content-type": "application/json",
    "x-dashboard-token": /name="token" content="([^"]+)"/.exec(page)[1]
  }
  const body = JSON.stringify({ action: "inspect", name: "nothing" })
  const answer = await (await view(new Request(`${origin}/`, { method: "POST", headers, body }))).text()
  if (answer !== '{"found":null}') throw new Error(answer)
}

const keys = [Redacted.make(new Uint8Array(32).fill(1))]
const Cache = MemoryBackend.layer({ copy: true }).pipe(
  StoreBackend.transform(Compression.gzip({ over: 0 })),
  StoreBackend.transform(Encryption.aesGcm({ keys }))
)

// The error of a cache that counts nothing.
const { _tag, reason } = await Effect.runPromise(
  Effect.flip(Effect.flatMap(KeyValueStore.KeyValueStore, (store) => store.size)).pipe(
    Effect.provide(Store.layer().pipe(Layer.provide(NoopBackend.layer)))
  )
)
if (_tag !== "SystemError" || reason !== "Unknown") throw new Error(`${_tag} ${reason}`)

process.stdout.write(
  await Effect.runPromise(
    program.pipe(Effect.provide(Layer.mergeAll(Persistence.layerResult, Store.layer()).pipe(Layer.provideMerge(Cache))))
  )
)
