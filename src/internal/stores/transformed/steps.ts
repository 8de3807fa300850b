/** Several transformations as one, of which none can make a caller die. */
import { Effect, Either } from "effect"
import { CacheError } from "../../../CacheError.js"
import { withoutMessage } from "../../values/withoutMessage.js"
import type { ByteTransform } from "./ByteTransform.js"

/** In the order in which values pass them on their way to the store. */
export const inOrder = (steps: ReadonlyArray<ByteTransform>): ReadonlyArray<ByteTransform> => [
  ...steps.filter(({ opaque }) => opaque !== true),
  ...steps.filter(({ opaque }) => opaque === true)
]

/** The outcome of what was done at once. */
export const doneAtOnce = <A, E>(effect: Effect.Effect<A, E>): Either.Either<A, E> | undefined =>
  // `isEither` narrows to `Either<unknown, unknown>`, which loses the types.
  Either.isEither(effect) ? (effect as Either.Either<A, E>) : undefined

const andThen = <A, B, E>(
  effect: Effect.Effect<A, E>,
  next: (value: A) => Effect.Effect<B, E>
): Effect.Effect<B, E> => {
  const done = doneAtOnce(effect)
  if (done === undefined) return Effect.flatMap(effect, next)
  return Either.isRight(done) ? next(done.right) : Either.left(done.left)
}

/**
 * What the transformation throws, or dies of, is its failure, and so is what is no bytes. One that takes time can be interrupted,
 * also where a value is published: else one that never ends would keep its layer from closing.
 */
const safely = <E>(
  step: () => Effect.Effect<Uint8Array, E>,
  failed: (thrown: unknown) => E
): Effect.Effect<Uint8Array, E> => {
  const checked = (bytes: unknown): Either.Either<Uint8Array, E> =>
    bytes instanceof Uint8Array ? Either.right(bytes) : Either.left(failed(new TypeError("no bytes")))
  try {
    const result = step()
    const guarded = Effect.catchAllDefect(result, (thrown) => Effect.fail(failed(thrown)))
    return andThen(doneAtOnce(result) ?? Effect.interruptible(guarded), checked)
  } catch (thrown) {
    return Either.left(failed(thrown))
  }
}

const encodeFailure =
  ({ name }: ByteTransform) =>
  (thrown: unknown) =>
    new CacheError({
      reason: "Encode",
      operation: "encode",
      description: `the transformation ${name} threw`,
      // Its message may quote the value.
      cause: withoutMessage(thrown)
    })

/** The bytes to be stored. */
export const encodeBy = (
  steps: ReadonlyArray<ByteTransform>,
  bytes: Uint8Array,
  key: string
): Effect.Effect<Uint8Array, CacheError> =>
  steps.reduce<Effect.Effect<Uint8Array, CacheError>>(
    (before, step) => andThen(before, (given) => safely(() => step.encode(given, key), encodeFailure(step))),
    Either.right(bytes)
  )

/** The bytes of the value; fails with the name of the transformation that refused them. */
export const decodeBy = (
  steps: ReadonlyArray<ByteTransform>,
  bytes: unknown,
  key: string
): Effect.Effect<Uint8Array, string> =>
  steps.reduceRight<Effect.Effect<Uint8Array, string>>(
    (before, step) =>
      andThen(before, (given) =>
        safely(
          () => {
            const decoded = step.decode(given, key)
            const done = doneAtOnce(decoded)
            return done === undefined
              ? Effect.mapError(decoded, () => step.name)
              : Either.mapLeft(done, () => step.name)
          },
          () => step.name
        )
      ),
    bytes instanceof Uint8Array ? Either.right(bytes) : Either.left("the store")
  )
