/** The token of an entry that went through a tier. */
import type { CachedValue, Entry, Token } from "../../../CacheStore.js"

export class TierToken {
  constructor(
    /** The token of the store below. */
    readonly lower: Token,
    /** The value that other processes may have a copy of: whoever replaces it must tell them. */
    readonly held: CachedValue | undefined
  ) {}
}

/** Nobody keeps a copy of what is not fresh. */
export const tierToken = (lower: Token, entry: Entry | undefined, now: number): TierToken => {
  const value = entry?.value
  return new TierToken(lower, value !== undefined && now < value.freshUntil ? value : undefined)
}

export const lowerOf = (token: Token): Token => (token instanceof TierToken ? token.lower : token)
