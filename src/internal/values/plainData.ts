/**
 * Plain data as bytes: what is decoded equals what was encoded, or nothing is encoded.
 *
 * Plain data are the JSON types, `undefined`, `NaN`, the infinities, `-0`, bigints, and `Date`, `Map`, `Set`, `ArrayBuffer`,
 * `DataView`, `Buffer` and the typed arrays themselves (no subclass), nested up to 500 levels. Most values are JSON and are
 * kept as such, readable in the store; the others are kept in the structured clone format of `node:v8`. Cycles come
 * back as cycles. An object reached along several paths may come back as several equal objects. Whether a property was
 * frozen is not kept, and a typed array is its elements, whatever other properties were hung on it.
 *
 * @since 0.1.0
 */
import { Buffer } from "node:buffer"
import { Either } from "effect"
import { type EncodeRefusal, examine } from "./examine.js"
import { isJson } from "./isJson.js"
import { copyBuffer, readStructured, writeStructured } from "./structured.js"

export type { EncodeRefusal } from "./examine.js"

/**
 * The bytes were not written by `encodePlain`, or by that of a later version of this library or of Node.
 *
 * @since 0.1.0
 * @category models
 */
export interface DecodeFailure {
  readonly problem: string
  readonly cause?: unknown
}

/** The first byte tells the form. JSON text begins with none of these, and the structured format always with its own. */
const bytesMark = 0x01
const bufferMark = 0x02
const structuredMark = 0xff

const marked = (mark: number, bytes: Uint8Array): Uint8Array => {
  const encoded = Buffer.allocUnsafe(bytes.length + 1)
  encoded[0] = mark
  encoded.set(bytes, 1)
  return encoded
}

const encodeBytes = (value: unknown): Uint8Array | undefined => {
  // Not all that is `instanceof Uint8Array` is a view, and not every view is of memory that can be kept.
  if (!(value instanceof Uint8Array && ArrayBuffer.isView(value) && value.buffer instanceof ArrayBuffer))
    return undefined
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Uint8Array.prototype) return marked(bytesMark, value)
  return prototype === Buffer.prototype ? marked(bufferMark, value) : undefined
}

const encode = (value: unknown): Uint8Array | EncodeRefusal => {
  const bytes = encodeBytes(value)
  if (bytes !== undefined) return bytes
  const form = isJson(value) ? "json" : examine(value)
  switch (form) {
    case "json":
      return Buffer.from(JSON.stringify(value), "utf8")
    case "structured":
      return writeStructured(value)
    default:
      return form
  }
}

/**
 * The value as bytes, or the first part of it that would not come back equal. The bytes may be a slice of Node's buffer
 * pool: who keeps them for long should copy them.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodePlain = (value: unknown): Either.Either<Uint8Array, EncodeRefusal> => {
  try {
    const encoded = encode(value)
    return encoded instanceof Uint8Array ? Either.right(encoded) : Either.left(encoded)
  } catch (cause) {
    // A proxy, a stack almost used up when we came, a text longer than the engine takes.
    const reason = cause instanceof Error ? cause.message : "it threw when it was read"
    return Either.left({ path: "value", problem: `can't be stored: ${reason}`, cause })
  }
}

const decode = (bytes: Uint8Array): unknown => {
  switch (bytes[0]) {
    case bytesMark:
      return new Uint8Array(bytes.subarray(1))
    case bufferMark:
      return copyBuffer(bytes.subarray(1))
    case structuredMark:
      return readStructured(bytes)
    default: {
      const text = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      return JSON.parse(text.toString("utf8"))
    }
  }
}

/**
 * The value of which `encodePlain` made these bytes. It shares no memory with them.
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
