/**
 * Encodes plain data to bytes. What is decoded equals what was encoded; a value for which that can't be is refused.
 *
 * Plain data are the JSON types, `undefined`, `NaN`, the infinities, `-0`, bigints, and `Date`, `Map`, `Set`, `ArrayBuffer`,
 * `DataView`, `Buffer` and the typed arrays themselves (no subclass), nested up to 500 levels. Most values are JSON and are
 * stored as JSON, readable in the store; the others are stored as extended JSON (`writeExtended.ts`). Cycles come back as cycles.
 * An object reached along several paths may come back as several equal objects. It is not stored whether a property was frozen, nor
 * what other properties a typed array had besides its elements.
 *
 * @since 0.1.0
 */
import { Buffer } from "node:buffer"
import { Either } from "effect"
import { type EncodeRefusal, examine } from "./examine.js"
import { isJson } from "./isJson.js"
import { readExtended } from "./readExtended.js"
import { copyBuffer } from "./views.js"
import { writeExtended } from "./writeExtended.js"

export type { EncodeRefusal } from "./examine.js"

/**
 * The bytes can't be decoded: another program wrote them, or another version of this library.
 *
 * @since 0.1.0
 * @category models
 */
export interface DecodeFailure {
  readonly problem: string
  readonly cause?: unknown
}

/** The first byte says the format. JSON text begins with none of these, nor with the mark of `failure.ts`. */
const bytesMark = 0x01
const bufferMark = 0x02
const extendedMark = 0x03

const marked = (mark: number, bytes: Uint8Array): Uint8Array => {
  const encoded = Buffer.allocUnsafe(bytes.length + 1)
  encoded[0] = mark
  encoded.set(bytes, 1)
  return encoded
}

const encodeBytes = (value: unknown): Uint8Array | undefined => {
  // An object may have the prototype of a Uint8Array and be no view; and a view may be of shared memory.
  if (!(value instanceof Uint8Array && ArrayBuffer.isView(value) && value.buffer instanceof ArrayBuffer))
    return undefined
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Uint8Array.prototype) return marked(bytesMark, value)
  return prototype === Buffer.prototype ? marked(bufferMark, value) : undefined
}

/** A polyfill may have added it: then `JSON.stringify` prints whatever that returns. */
const toJsonAdded: EncodeRefusal = {
  path: "value",
  problem: "can't be stored, because Object.prototype or Array.prototype has a toJSON"
}

const formOf = (value: unknown): ReturnType<typeof examine> => {
  try {
    if (isJson(value)) return "json"
  } catch {
    // A proxy threw: `examine` finds its place.
  }
  return examine(value)
}

const encode = (value: unknown): Uint8Array | EncodeRefusal => {
  const bytes = encodeBytes(value)
  if (bytes !== undefined) return bytes
  if ("toJSON" in Array.prototype) return toJsonAdded
  const form = formOf(value)
  switch (form) {
    case "json":
      return Buffer.from(JSON.stringify(value), "utf8")
    case "extended":
    case "shared":
      return writeExtended(extendedMark, value, form === "shared")
    default:
      return form
  }
}

/**
 * The value as bytes, or the first part of it that would not come back equal. The bytes may be a slice of Node's buffer pool: a
 * caller that keeps them for long should copy them.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodePlain = (value: unknown): Either.Either<Uint8Array, EncodeRefusal> => {
  try {
    const encoded = encode(value)
    return encoded instanceof Uint8Array ? Either.right(encoded) : Either.left(encoded)
  } catch (cause) {
    // The text is longer than V8 allows, the caller had used up most of the stack, or a proxy threw. Nothing is quoted: what a
    // proxy throws may quote the value.
    const reason = cause instanceof RangeError ? "it is too large" : "it threw when it was read"
    return Either.left({ path: "value", problem: `can't be stored: ${reason}`, cause })
  }
}

const asBuffer = (bytes: Uint8Array): Buffer =>
  bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const decode = (bytes: Uint8Array): unknown => {
  switch (bytes[0]) {
    case bytesMark:
      return new Uint8Array(bytes.subarray(1))
    case bufferMark:
      return copyBuffer(bytes.subarray(1))
    case extendedMark:
      return readExtended(asBuffer(bytes.subarray(1)))
    default:
      return JSON.parse(asBuffer(bytes).toString("utf8"))
  }
}

/**
 * The value that `encodePlain` encoded to these bytes. It shares no memory with them.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decodePlain = (bytes: Uint8Array): Either.Either<unknown, DecodeFailure> => {
  try {
    return Either.right(decode(bytes))
  } catch (cause) {
    return Either.left({ problem: cause instanceof Error ? cause.message : "unreadable", cause })
  }
}
