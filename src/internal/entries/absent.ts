/** What is kept in place of a value that is known to be absent. */
import { Effect, Either } from "effect"
import type { ValueCodec } from "./ValueCodec.js"

/** Stands for the value that a key has not. */
export const absent: unique symbol = Symbol.for("effect-cached/absent")

/** No encoded value begins with it, so others read what they can't decode: a miss. */
const mark = 0x05

const isMark = (payload: unknown): boolean =>
  payload instanceof Uint8Array && payload.length === 1 && payload[0] === mark

/** The codec of values that may be absent. */
export const withAbsent = (payloads: "references" | "bytes", codec: ValueCodec<unknown>): ValueCodec<unknown> => {
  if (payloads === "references") return codec
  return {
    encode: (value) => (value === absent ? Effect.succeed(Uint8Array.of(mark)) : codec.encode(value)),
    decode: (payload) => (isMark(payload) ? Either.right(absent) : codec.decode(payload))
  }
}
