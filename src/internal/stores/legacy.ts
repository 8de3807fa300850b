/** Interim: drivers that answer by callbacks, until their reads are fused. */
import { Effect } from "effect"
import type { ByteStore, StoredBytes } from "../../ByteStore.js"
import type { CacheError } from "../../CacheError.js"
import type { RejectedItem } from "../../CacheStore.js"
import { isInTransaction } from "../runtime/transaction.js"
import type { Found, FusedByteStore } from "./Store.js"

export interface Asker<Answer> {
  readonly answered: (answer: Answer) => void
  readonly failed: (instead: Effect.Effect<Answer, CacheError>) => void
}
export type { Found } from "./Store.js"
export type Reading<Stored> = Effect.Effect<Found<Stored>, CacheError>
export type Writing = Effect.Effect<ReadonlyArray<RejectedItem>, CacheError>

export interface LegacyByteStore extends ByteStore {
  readonly unsafeAsk?: (
    keys: ReadonlyArray<string>,
    asker: Asker<Found<StoredBytes>>
  ) => Reading<StoredBytes> | undefined
  readonly unsafeWrite?: unknown
}

export const fuse = (store: LegacyByteStore): FusedByteStore => ({
  ...store,
  read: (fiber, keys, onFound, onFailure) => {
    const { unsafeAsk } = store
    if (unsafeAsk === undefined || isInTransaction(fiber)) {
      return Effect.matchEffect(store.read(keys), { onFailure, onSuccess: onFound })
    }
    return Effect.async((resume) => {
      const instead = unsafeAsk.call(store, keys, {
        answered: (found) => resume(onFound(found)),
        failed: (other) => resume(Effect.matchEffect(other, { onFailure, onSuccess: onFound }))
      })
      if (instead !== undefined) resume(Effect.matchEffect(instead, { onFailure, onSuccess: onFound }))
    })
  }
})
