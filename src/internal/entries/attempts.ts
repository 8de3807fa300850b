/** How long a compare-and-set is tried again that has failed. */
import { CacheError } from "../../CacheError.js"
import type { StoredEntry, Token } from "../../CacheStore.js"
import type { Store } from "../stores/Store.js"

/** With the pauses of `touch` and `increment` some three seconds: so long they wait for a transaction that holds the entry. */
export const maxAttempts = 100

/** What the attempts before have met. */
export interface Attempts {
  readonly token: Token | undefined
  /** How many in a row met the same token as the one before them. */
  readonly unchanged: number
}

export const noAttempts: Attempts = { token: undefined, unchanged: 0 }

/**
 * Where another writer came first, the next attempt meets another token: these attempts don't count, because one of the
 * contenders always wins. Where nobody did, the store refuses, and may do so for ever.
 */
export const nextAttempt = (
  { sameToken = Object.is }: Store,
  { token, unchanged }: Attempts,
  stored: StoredEntry | undefined
): Attempts => {
  const met = stored?.token
  const isSame = token === met || (token !== undefined && met !== undefined && sameToken(token, met))
  return { token: met, unchanged: isSame ? unchanged + 1 : 0 }
}

export const neverReplaced = (operation: string): CacheError =>
  new CacheError({
    reason: "StoreFailed",
    operation,
    description:
      "the store did not change the entry, though nobody else had changed it: another transaction holds it, or a policy or a " +
      "trigger of the database keeps it"
  })
