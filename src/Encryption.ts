/**
 * Encrypts the values of a store that keeps bytes, for stores whose operators, backups or network must not see them.
 *
 * @since 0.1.0
 */
import { Either, Redacted } from "effect"
import { CacheError } from "./CacheError.js"
import { aesGcm as aesGcmBytes, secretBytes } from "./internal/stores/transformed/aesGcm.js"
import type { ByteTransform } from "./StoreBackend.js"

/**
 * The options of `aesGcm`.
 *
 * @since 0.1.0
 * @category models
 */
export interface AesGcmOptions {
  /**
   * Secrets of 32 random bytes each, at least one. The first one encrypts, all decrypt. To change it without an empty cache: deploy
   * `[old, new]`, then `[new, old]`, and `[new]` once the values of the old one have expired.
   */
  readonly keys: ReadonlyArray<Redacted.Redacted<Uint8Array>>
}

const invalid = (description: string): Either.Either<never, CacheError> =>
  Either.left(new CacheError({ reason: "InvalidOption", operation: "aesGcm", description }))

/**
 * Encrypts values with AES-256-GCM, for `StoreBackend.transform`. No further round trip; a value grows by 49 bytes. It comes after
 * compression, in whichever order the two are named.
 *
 * - **Encrypted** are the values of `cached`, `set`, `getOrSet`, … A value that was cut, changed, copied under another key, or
 *   encrypted with a secret that is not among `keys`, is a miss and is overwritten; one warning a minute says so.
 * - **Readable** stay keys, with the arguments in them, names and versions of groups, times, leases, and the length of values. Keep
 *   personal data out of keys.
 * - Who may write to the store can't make a value up, but can remove it, bring an earlier value of the same key back, and change
 *   its times.
 *
 * Values that were stored without encryption are misses, and so are those with it for a process that lacks it. Fails with
 * `InvalidOption` without a secret, or for one that has not 32 bytes.
 *
 * @example
 * import { Config, Effect, Redacted } from "effect"
 * import { StoreBackend } from "effect-cached"
 * import * as Encryption from "effect-cached/Encryption"
 * import * as RedisBackend from "effect-cached/RedisBackend"
 *
 * // CACHE_SECRET is the output of: openssl rand -base64 32
 * const secret = Config.map(Config.redacted("CACHE_SECRET"), (text) =>
 *   Redacted.make(Buffer.from(Redacted.value(text), "base64"))
 * )
 *
 * const Cache = RedisBackend.layer({ url: "redis://10.0.0.1" }).pipe(
 *   StoreBackend.transform(Effect.flatMap(secret, (key) => Encryption.aesGcm({ keys: [key] })))
 * )
 *
 * @since 0.1.0
 * @category transformations
 */
export const aesGcm = ({ keys }: AesGcmOptions): Either.Either<ByteTransform, CacheError> => {
  const [first, ...others] = keys.map((key) => Redacted.value(key))
  if (first === undefined) return invalid("keys must not be empty")
  const wrong = [first, ...others].findIndex((secret) => secret.length !== secretBytes)
  return wrong >= 0
    ? invalid(`keys[${wrong}] must have ${secretBytes} bytes`)
    : Either.right(aesGcmBytes([first, ...others]))
}
