/**
 * What can go wrong between a program and its cache.
 *
 * @since 0.1.0
 */
import { type Cause, Data } from "effect"

/**
 * Why a cache operation failed.
 *
 * | reason | meaning |
 * | --- | --- |
 * | `Unavailable` | the store can't be reached, or the circuit breaker skips it |
 * | `Timeout` | the store did not answer in time; whether it acted is unknown |
 * | `StoreFailed` | the store answered with an error of its own |
 * | `Encode` | the value would not come back equal, so it was not stored |
 * | `TooLarge` | the value is over what the store takes |
 * | `InvalidKey` | empty, or made of something that has no stable spelling |
 * | `InvalidOption` | an option is out of its range (a `NaN` ttl, a negative bound) |
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

/** By its own type, `Data.TaggedError` would put a type into our declarations that older versions of `effect` lack. */
const taggedError = Data.TaggedError as <Tag extends string>(tag: Tag) => TaggedErrorClass<Tag>

/**
 * A cache operation failed. `operation` is what was asked (`get`, `set`, `invalidate`, …), `key` the key as the
 * caller knows it, `description` a sentence for people, `cause` the error underneath.
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
 * `requireCache` or `increment` found no value under the key.
 *
 * @since 0.1.0
 * @category errors
 */
export class NoCachedValue extends taggedError("NoCachedValue")<{ readonly key: string }> {
  override get message(): string {
    return `no cached value under ${this.key}`
  }
}
