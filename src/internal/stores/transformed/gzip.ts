/**
 * Values as gzip where that makes them shorter:
 *
 * ```text
 * 0      0x10: as they are, to the end · 0x11: gzip
 * 1..4   of gzip: the length before compression
 * then   the bytes
 * ```
 *
 * No value that was stored without compression begins with these bytes. gzip ends with a checksum, so damage is noticed. Anybody
 * may have written the bytes: nothing is inflated beyond the length that they name, nor beyond the bound.
 */
import { Buffer } from "node:buffer"
import { createGunzip, createGzip, gunzipSync, gzipSync } from "node:zlib"
import { Effect, Either } from "effect"
import { CacheError } from "../../../CacheError.js"
import type { ByteTransform } from "./ByteTransform.js"

export interface GzipSettings {
  /** Bytes. Shorter values, and those of this length, are stored as they are. */
  readonly over: number
  /** Bytes before compression. */
  readonly maxBytes: number
  readonly level: number
}

const asIsMark = 0x10
const gzipMark = 0x11
const headerSize = 5

/** Bytes before compression: up to this, compressing takes less than a turn of the event loop may, and than a thread would cost. */
const mostAtOnce = 16 * 1024

/** Node's default of 16 KB makes four times as many chunks. */
const chunkSize = 64 * 1024

/** Runs in a thread of Node's pool; an interruption stops it with the chunk that is under way. */
const inThread = (
  make: () => ReturnType<typeof createGzip>,
  bytes: Uint8Array,
  limit: number
): Effect.Effect<Buffer, Error> =>
  Effect.async((resume) => {
    const stream = make()
    const chunks: Array<Buffer> = []
    let size = 0
    stream.on("data", (chunk: Buffer) => {
      size += chunk.length
      if (size > limit) stream.destroy(new RangeError("more bytes than allowed"))
      else chunks.push(chunk)
    })
    stream.on("error", (error) => resume(Effect.fail(error)))
    stream.on("end", () => resume(Effect.succeed(Buffer.concat(chunks, size))))
    stream.end(bytes)
    return Effect.sync(() => {
      stream.destroy()
    })
  })

const asIs = (bytes: Uint8Array): Buffer => {
  const stored = Buffer.allocUnsafe(bytes.length + 1)
  stored[0] = asIsMark
  stored.set(bytes, 1)
  return stored
}

const shorterOf = (bytes: Uint8Array, compressed: Uint8Array): Buffer => {
  if (headerSize + compressed.length > bytes.length) return asIs(bytes)
  const stored = Buffer.allocUnsafe(headerSize + compressed.length)
  stored[0] = gzipMark
  stored.writeUInt32LE(bytes.length, 1)
  stored.set(compressed, headerSize)
  return stored
}

const tooLarge = (length: number, maxBytes: number): CacheError =>
  new CacheError({
    reason: "TooLarge",
    operation: "encode",
    description: `the value takes ${length} bytes before compression, more than maxBytes (${maxBytes})`
  })

const encodeFailure = (cause: unknown): CacheError =>
  new CacheError({ reason: "Encode", operation: "encode", description: "gzip failed", cause })

const foreign = Either.left("no bytes of gzip's")

const inflate = (bytes: Uint8Array, maxBytes: number): Effect.Effect<Uint8Array, unknown> => {
  if (bytes.length < headerSize) return foreign
  const length = Buffer.from(bytes.buffer, bytes.byteOffset, headerSize).readUInt32LE(1)
  if (length === 0 || length > maxBytes) return foreign
  const compressed = bytes.subarray(headerSize)
  const whole = (inflated: Buffer): Either.Either<Uint8Array, unknown> =>
    inflated.length === length ? Either.right(inflated) : foreign
  return length > mostAtOnce
    ? Effect.flatMap(
        inThread(() => createGunzip({ chunkSize }), compressed, length),
        whole
      )
    : Either.flatMap(
        Either.try(() => gunzipSync(compressed, { maxOutputLength: length })),
        whole
      )
}

export const gzip = ({ level, maxBytes, over }: GzipSettings): ByteTransform => ({
  name: "gzip",
  encode: (bytes) => {
    const { length } = bytes
    if (length > maxBytes) return Either.left(tooLarge(length, maxBytes))
    if (length <= over) return Either.right(asIs(bytes))
    if (length <= mostAtOnce) return Either.right(shorterOf(bytes, gzipSync(bytes, { level })))
    return Effect.mapBoth(
      // What is longer than the value is not stored.
      inThread(() => createGzip({ level, chunkSize }), bytes, Number.POSITIVE_INFINITY),
      { onFailure: encodeFailure, onSuccess: (compressed) => shorterOf(bytes, compressed) }
    )
  },
  decode: (bytes) => {
    switch (bytes[0]) {
      case asIsMark:
        return Either.right(bytes.subarray(1))
      case gzipMark:
        return inflate(bytes, maxBytes)
      default:
        return foreign
    }
  }
})
