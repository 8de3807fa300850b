/** The codec of values that may be known to be absent. */
import { Effect, Either } from "effect"
import { absent, absentBytes, isAbsent } from "../values/absent.js"
import type { ValueCodec } from "./ValueCodec.js"

export const withAbsent = (payloads: "references" | "bytes", codec: ValueCodec<unknown>): ValueCodec<unknown> => {
  const kept = payloads === "references" ? absent : absentBytes()
  return {
    encode: (value) => (value === absent ? Effect.succeed(kept) : codec.encode(value)),
    decode: (payload) => (isAbsent(payloads, payload) ? Either.right(absent) : codec.decode(payload))
  }
}
