import { describe } from "@effect/vitest"
import { Effect } from "effect"
import { ByteStore, StoreBackend } from "effect-cached"
import { hostileNamespace, hostileRecords } from "../suites/hostileRecords.js"
import { byteMap } from "../support/byteMap.js"

describe("records in a ByteStore of a third party", () => {
  hostileRecords(
    Effect.sync(() => {
      const { records, store } = byteMap()
      return {
        layer: StoreBackend.layer(Effect.succeed(ByteStore.toCacheStore(store)), { namespace: hostileNamespace }),
        raw: {
          read: (key) => Effect.sync(() => Buffer.from(records.get(key)?.bytes ?? [])),
          write: (key, bytes) => Effect.sync(() => records.set(key, { bytes, token: Symbol(key), endsAt: 4e12 }))
        }
      }
    })
  )
})
