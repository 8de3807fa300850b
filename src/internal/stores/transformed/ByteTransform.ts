/** The contract of what is done to the bytes of values between this library and a store. */
import type { Effect } from "effect"
import type { CacheError } from "../../../CacheError.js"

/**
 * Turns the bytes of values into those that are stored, and back. `key` is the finished key under which the value is stored
 * (`v1:shop:city("lisbon")`). What can be done at once should be returned as an `Either`, which costs no operation of the runtime.
 * What it throws counts as a failure. Neither function may change the bytes that it gets.
 *
 * @since 0.1.0
 * @category models
 */
export interface ByteTransform {
  /** Names it in errors and logs. */
  readonly name: string
  /**
   * Whether its bytes look random, as encrypted ones do. Such transformations come after all others, because nothing can be
   * compressed after them. Default false.
   */
  readonly opaque?: boolean
  /** Fails with `Encode` or `TooLarge`: then the value is not stored. */
  readonly encode: (bytes: Uint8Array, key: string) => Effect.Effect<Uint8Array, CacheError>
  /** Fails for bytes that `encode` did not make for this key: then there is no value, and one warning a minute says so. */
  readonly decode: (bytes: Uint8Array, key: string) => Effect.Effect<Uint8Array, unknown>
}
