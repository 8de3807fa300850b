/** Encodes values to the payloads of a store, and decodes them. */
import { Effect, Either, ParseResult, type Schema } from "effect"
import { CacheError } from "../../CacheError.js"
import { absent } from "../values/absent.js"
import { isFailure, KeptFailure, markFailure, withoutMark } from "../values/failure.js"
import { decodePlain, type EncodeRefusal, encodePlain } from "../values/plainData.js"
import { describeIssue } from "../values/schemaRefusal.js"
import { withoutData } from "../values/valuePath.js"
import { withoutMessage } from "../values/withoutMessage.js"

// Schema is invariant in its encoded side, and any encoded side will do: no narrower type accepts them all.
// biome-ignore lint/suspicious/noExplicitAny: see above
export type ValueSchema<A> = Schema.Schema<A, any>

/** A schema whose type only its owner knows. */
// biome-ignore lint/suspicious/noExplicitAny: Schema is invariant, so no other type accepts them all
export type AnySchema = Schema.Schema<any, any>

export interface ValueCodec<A> {
  readonly encode: (value: A) => Effect.Effect<unknown, CacheError>
  readonly decode: (payload: unknown) => Effect.Effect<A, unknown>
}

/** The codec of values without a schema. It is synchronous. */
export interface PlainCodec extends ValueCodec<unknown> {
  readonly encode: (value: unknown) => Either.Either<unknown, CacheError>
  readonly decode: (payload: unknown) => Either.Either<unknown, unknown>
}

/** Errors are logged, so neither the description nor the cause holds a part of the value. */
const encodeFailure = (description: string, cause?: Error): CacheError =>
  new CacheError({ reason: "Encode", operation: "encode", description, cause })

const refused = ({ path, problem, cause }: EncodeRefusal): CacheError =>
  encodeFailure(`${withoutData(path)} ${problem}`, cause === undefined ? undefined : withoutMessage(cause))

/** Of a value without a schema: a schema could encode it. */
const schemaWanted =
  (option: string) =>
  (refusal: EncodeRefusal): CacheError => {
    const { description, cause } = refused(refusal)
    return new CacheError({
      reason: "Encode",
      operation: "encode",
      description: `${description}; the option ${option} says how to encode it`,
      cause
    })
  }

/** Of the payloads of a store that keeps references: an error is no value, nor is the sign that there is none. */
const isValue = (payload: unknown): boolean => !(payload instanceof KeptFailure) && payload !== absent

/** For a store that keeps references: nothing to encode. */
const references: PlainCodec = {
  encode: Either.right,
  decode: (payload) => (isValue(payload) ? Either.right(payload) : Either.left(payload))
}

const bytesCodec = (toError: (refusal: EncodeRefusal) => CacheError): PlainCodec => ({
  encode: (value) => Either.mapLeft(encodePlain(value), toError),
  // A store of bytes gives bytes.
  decode: decodePlain as PlainCodec["decode"]
})

const plainBytes = bytesCodec(refused)
const bytesOfMemoized = bytesCodec(schemaWanted("schema"))
const bytesOfFailure = bytesCodec(schemaWanted("failures.schema"))

export const plainCodec = (payloads: "references" | "bytes"): PlainCodec =>
  payloads === "bytes" ? plainBytes : references

/** Uses the schema if there is one and the store keeps bytes; else the codec of plain data. */
export const codecFor = <A>(payloads: "references" | "bytes", schema: ValueSchema<A> | undefined): ValueCodec<A> => {
  // The values of one key have one type, so what is decoded has the type of what was encoded.
  if (payloads === "references") return references as ValueCodec<A>
  return schema === undefined ? (bytesOfMemoized as ValueCodec<A>) : schemaCodec(schema)
}

/** The codec of errors. What is no error can't be decoded by it, nor an error by a codec of values. */
export const failureCodecFor = <E>(
  payloads: "references" | "bytes",
  schema: ValueSchema<E> | undefined
): ValueCodec<E> => {
  if (payloads === "references") return failureReferences as ValueCodec<E>
  const codec = schema === undefined ? (bytesOfFailure as ValueCodec<E>) : schemaCodec(schema)
  return {
    // The codecs of bytes encode to bytes.
    encode: (error) => Effect.map(codec.encode(error), (encoded) => markFailure(encoded as Uint8Array)),
    decode: (payload) =>
      isFailure(payloads, payload) ? codec.decode(withoutMark(payload as Uint8Array)) : Either.left(payload)
  }
}

const failureReferences: PlainCodec = {
  encode: (error) => Either.right(new KeptFailure(error)),
  decode: (payload) => (payload instanceof KeptFailure ? Either.right(payload.error) : Either.left(payload))
}

const schemaCodec = <A>(schema: ValueSchema<A>): ValueCodec<A> => {
  const encode = ParseResult.encode(schema)
  const decode = ParseResult.decodeUnknown(schema)
  return {
    encode: (value) =>
      Effect.flatMap(
        Effect.mapError(encode(value), (issue) => encodeFailure(describeIssue(issue))),
        (plain) => Either.mapLeft(encodePlain(plain), refused)
      ),
    // A store of bytes gives bytes.
    decode: (payload) => Effect.flatMap(decodePlain(payload as Uint8Array), (plain) => safely(decode, plain))
  }
}

/**
 * The codec of a direct operation with a schema. Any value may stand under its key, so in memory, too, it is one of the schema's
 * type or none. What the user's schema throws is a value that can't be encoded.
 */
export const directCodec = <A>(payloads: "references" | "bytes", schema: ValueSchema<A>): ValueCodec<A> => {
  const codec = payloads === "bytes" ? schemaCodec(schema) : checkedReferences(schema)
  return {
    encode: (value) => {
      try {
        return Effect.catchAllDefect(codec.encode(value), (thrown) => Either.left(schemaThrew(thrown)))
      } catch (thrown) {
        return Either.left(schemaThrew(thrown))
      }
    },
    decode: codec.decode
  }
}

const schemaThrew = (thrown: unknown): CacheError => encodeFailure("the schema threw an error", withoutMessage(thrown))

const checkedReferences = <A>(schema: ValueSchema<A>): ValueCodec<A> => {
  const validate = ParseResult.validateEither(schema)
  return {
    encode: (value) =>
      Either.mapBoth(validate(value), { onLeft: (issue) => encodeFailure(describeIssue(issue)), onRight: () => value }),
    decode: (payload) => (isValue(payload) ? Effect.as(safely(validate, payload), payload as A) : Either.left(payload))
  }
}

/** The value may be of any shape, and nested deeply: where the schema throws at it, it is one that can't be decoded. */
const safely = <A>(
  decode: (plain: unknown) => Effect.Effect<A, unknown>,
  plain: unknown
): Effect.Effect<A, unknown> => {
  try {
    const decoded = decode(plain)
    return Either.isEither(decoded) ? decoded : Effect.catchAllDefect(decoded, Effect.fail)
  } catch (thrown) {
    return Either.left(thrown)
  }
}
