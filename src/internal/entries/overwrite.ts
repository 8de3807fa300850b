/**
 * Compare-and-set over an entry that was read. Where the payload stays, and the store can leave it where it is, it is not sent
 * again.
 */
import type { Effect, Option } from "effect"
import type { CacheError } from "../../CacheError.js"
import type { Entry, Token } from "../../CacheStore.js"
import type { Store } from "../stores/Store.js"

/** @param before the entry that the token is of; its groups are those of `entry` where both have one value */
export const overwrite = (
  store: Store,
  key: string,
  token: Token,
  entry: Entry,
  before: Entry | undefined
): Effect.Effect<Option.Option<Token>, CacheError> =>
  store.amend !== undefined && before?.value !== undefined && before.value.payload === entry.value?.payload
    ? store.amend(key, token, entry, before)
    : store.replace(key, token, entry)
