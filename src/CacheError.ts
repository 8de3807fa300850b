/**
 * The errors of a cache.
 *
 * @since 0.1.0
 */
import { type Cause, Data } from "effect"

/**
 * Why a cache operation failed.
 *
 * | reason | meaning |
 * | --- | --- |
 * | `Unavailable` | the store can't be reached, or a circuit breaker skips it |
 * | `Timeout` | the store did not answer in time; whether it acted is unknown |
 * | `StoreFailed` | the store answered with an error of its own |
 * | `Encode` | the value can't be encoded so that it comes back equal; it was not stored |
 * | `TooLarge` | the value is larger than the store takes |
 * | `InvalidKey` | the key is empty, or a part of it can't be printed (a function, an instance) |
 * | `InvalidOption` | an option is out of its range (a `NaN` ttl, a negative bound, an `increment` past 2^53 − 1) |
 * | `NotNumeric` | `increment` met a value that is not a number |
 *
 * @since 0.1.0
 * @category models
 */
export type CacheErrorReason =
  | "Unavailable"
  | "Timeout"
  | "StoreFailed"
  | "Encode"
  | "TooLarge"
  | "InvalidKey"
  | "InvalidOption"
  | "NotNumeric"

type TaggedErrorClass<Tag extends string> = new <A extends Readonly<Record<string, unknown>>>(
  fields: A
) => Cause.YieldableError & { readonly _tag: Tag } & Readonly<A>

/** `Data.TaggedError` with a simpler type: its own names a type in our `.d.ts` files that older versions of `effect` lack. */
const taggedError = Data.TaggedError as <Tag extends string>(tag: Tag) => TaggedErrorClass<Tag>

/**
 * A cache operation failed. `operation` is the operation that failed (`get`, `set`, `invalidate`, …), `key` the key as the caller
 * knows it, or its hash where the layer has `redactKeys`, `description` a sentence for people, `cause` the error of the store.
 * No part of it quotes a cached value. Where the store is a SQL database, the `cause` is the `SqlError`, and its `code` the
 * SQLSTATE (on SQLite the result code): `40001` where a transaction should be repeated.
 *
 * @example
 * import { Effect, Option } from "effect"
 * import { get } from "effect-cached"
 *
 * const name = get("name").pipe(
 *   Effect.catchTag("CacheError", (error) =>
 *     error.reason === "Unavailable" ? Effect.succeed(Option.none()) : Effect.fail(error)
 *   )
 * )
 *
 * @since 0.1.0
 * @category errors
 */
export class CacheError extends taggedError("CacheError")<{
  readonly reason: CacheErrorReason
  readonly operation: string
  readonly description: string
  readonly key?: string | undefined
  readonly cause?: unknown
}> {
  override get message(): string {
    const target = this.key === undefined ? "" : ` ${this.key}`
    return `${this.operation}${target}: ${this.description} (${this.reason})`
  }
}

/**
 * `requireCache` or `increment` found no value. `key` is the key as the caller knows it, or its hash where the layer has
 * `redactKeys`.
 *
 * @example
 * import { Effect } from "effect"
 * import { increment, set } from "effect-cached"
 *
 * const count = increment("visits").pipe(Effect.catchTag("NoCachedValue", () => Effect.as(set("visits", 1), 1)))
 *
 * @since 0.1.0
 * @category errors
 */
export class NoCachedValue extends taggedError("NoCachedValue")<{ readonly key: string }> {
  override get message(): string {
    return `no cached value under ${this.key}`
  }
}
