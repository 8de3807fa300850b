/**
 * Compresses the values of a store that keeps bytes.
 *
 * @since 0.1.0
 */
import { Either } from "effect"
import type { CacheError } from "./CacheError.js"
import { boundedNumber, positiveInteger } from "./internal/options.js"
import { gzip as gzipBytes } from "./internal/stores/transformed/gzip.js"
import type { ByteTransform } from "./StoreBackend.js"

/**
 * The options of `gzip`.
 *
 * @since 0.1.0
 * @category models
 */
export interface GzipOptions {
  /**
   * Bytes: encoded values longer than this are compressed, where that makes them shorter. Small values gain little, and compressing
   * costs time at every write. Default 1,000.
   */
  readonly over?: number
  /**
   * Bytes: an encoded value longer than this fails with `TooLarge`. A record that inflates to more than this is a miss, whoever
   * wrote it, and takes no more memory. At most 2^30. Default 64 MiB.
   */
  readonly maxBytes?: number
  /** From 1, the fastest, to 9, the shortest. Default 6. */
  readonly level?: number
}

const mostBytes = 2 ** 30

/**
 * Compresses values by gzip, for `StoreBackend.transform`. No further round trip. Values of up to 16 KB are compressed at once,
 * which takes up to half a millisecond; longer ones in a thread of Node's pool, so that they don't block the event loop. There an
 * interruption ends the work.
 *
 * Values that were stored without compression are misses, and those with it are misses for a process that lacks it: give the layer
 * another `version` with the deploy that changes it. Fails with `InvalidOption` for an option out of its range.
 *
 * @example
 * import { StoreBackend } from "effect-cached"
 * import * as Compression from "effect-cached/Compression"
 * import * as MemcachedBackend from "effect-cached/MemcachedBackend"
 *
 * const Cache = MemcachedBackend.layer({ servers: "10.0.0.1:11211" }).pipe(
 *   StoreBackend.transform(Compression.gzip({ over: 1_000 }))
 * )
 *
 * @since 0.1.0
 * @category transformations
 */
export const gzip = ({
  level = 6,
  maxBytes = 64 * 1024 * 1024,
  over = 1_000
}: GzipOptions = {}): Either.Either<ByteTransform, CacheError> =>
  Either.map(
    Either.all({
      over: boundedNumber("gzip", "over", over, 0, Number.POSITIVE_INFINITY),
      maxBytes: boundedNumber("gzip", "maxBytes", maxBytes, 1, mostBytes),
      level: Either.flatMap(boundedNumber("gzip", "level", level, 1, 9), (given) =>
        positiveInteger("gzip", "level", given)
      )
    }),
    gzipBytes
  )
