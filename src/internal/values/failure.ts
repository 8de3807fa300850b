/**
 * A payload that is an error and no value. In bytes, a mark stands before the encoded error: no encoded value begins with it, so a
 * process that knows no errors reads it as a value that can't be decoded, which is a miss.
 */
import { Buffer } from "node:buffer"

/** The payload of an error where the store keeps references. */
export class KeptFailure {
  constructor(readonly error: unknown) {}
}

const mark = 0x04

export const markFailure = (encoded: Uint8Array): Uint8Array => {
  const marked = Buffer.allocUnsafe(encoded.length + 1)
  marked[0] = mark
  marked.set(encoded, 1)
  return marked
}

export const withoutMark = (marked: Uint8Array): Uint8Array => marked.subarray(1)

/** Whether the payload is an error. A value in a store of references may be any bytes. */
export const isFailure = (payloads: "references" | "bytes", payload: unknown): boolean =>
  payloads === "references"
    ? payload instanceof KeptFailure
    : payload instanceof Uint8Array && payload.length > 0 && payload[0] === mark
