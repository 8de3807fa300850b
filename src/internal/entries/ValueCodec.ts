/** Encodes values to the payloads of a store, and decodes them. */
import { Effect, Either, ParseResult, type Schema } from "effect"
import { CacheError } from "../../CacheError.js"
import { decodePlain, type EncodeRefusal, encodePlain } from "../values/plainData.js"

// Schema is invariant in its encoded side, and any encoded side will do: no narrower type accepts them all.
// biome-ignore lint/suspicious/noExplicitAny: see above
export type ValueSchema<A> = Schema.Schema<A, any>

export interface ValueCodec<A> {
  readonly encode: (value: A) => Effect.Effect<unknown, CacheError>
  readonly decode: (payload: unknown) => Effect.Effect<A, unknown>
}

/** The codec of values without a schema. It is synchronous. */
export interface PlainCodec extends ValueCodec<unknown> {
  readonly encode: (value: unknown) => Either.Either<unknown, CacheError>
  readonly decode: (payload: unknown) => Either.Either<unknown, unknown>
}

const encodeFailure = (description: string, cause?: unknown): CacheError =>
  new CacheError({ reason: "Encode", operation: "encode", description, cause })

const refused = ({ path, problem, cause }: EncodeRefusal): CacheError => encodeFailure(`${path} ${problem}`, cause)

/** For a store that keeps references: nothing to encode. */
const references: PlainCodec = { encode: Either.right, decode: Either.right }

const plainBytes: PlainCodec = {
  encode: (value) => Either.mapLeft(encodePlain(value), refused),
  // A store of bytes gives bytes.
  decode: (payload) => decodePlain(payload as Uint8Array)
}

export const plainCodec = (payloads: "references" | "bytes"): PlainCodec =>
  payloads === "bytes" ? plainBytes : references

/** Uses the schema if there is one and the store keeps bytes; else the codec of plain data. */
export const codecFor = <A>(payloads: "references" | "bytes", schema: ValueSchema<A> | undefined): ValueCodec<A> => {
  // The values of one key have one type, so what is decoded has the type of what was encoded.
  if (schema === undefined || payloads === "references") return plainCodec(payloads) as ValueCodec<A>
  const encode = ParseResult.encode(schema)
  const decode = ParseResult.decodeUnknown(schema)
  return {
    encode: (value) =>
      Effect.flatMap(
        Effect.mapError(encode(value), (issue) =>
          encodeFailure(ParseResult.TreeFormatter.formatIssueSync(issue), issue)
        ),
        (plain) => Either.mapLeft(encodePlain(plain), refused)
      ),
    // A store of bytes gives bytes.
    decode: (payload) => Effect.flatMap(decodePlain(payload as Uint8Array), (plain) => decode(plain))
  }
}
