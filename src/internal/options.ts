/**
 * Checks the options of users and turns durations into milliseconds.
 */
import { Duration, Either } from "effect"
import { CacheError } from "../CacheError.js"

const invalid = (operation: string, description: string): CacheError =>
  new CacheError({ reason: "InvalidOption", operation, description })

const hasNaN = (input: unknown): boolean =>
  Array.isArray(input) ? input.some(Number.isNaN) : typeof input === "number" && Number.isNaN(input)

/**
 * A duration in milliseconds: `Infinity` is for ever, and a negative duration is 0. Refuses `NaN`, which Effect's own decoder takes
 * for zero, and a text that is no duration.
 */
export const durationMillis = (
  operation: string,
  name: string,
  input: Duration.DurationInput
): Either.Either<number, CacheError> => {
  if (hasNaN(input)) return Either.left(invalid(operation, `${name} is NaN, not a duration`))
  try {
    return Either.right(Duration.toMillis(input))
  } catch {
    return Either.left(invalid(operation, `${name} is not a duration: ${String(input)}`))
  }
}

/** The same for what a `ttl` function returned. It may be a part of the value, so the error does not quote it. */
export const returnedMillis = (
  operation: string,
  input: Duration.DurationInput,
  name = "ttl"
): Either.Either<number, CacheError> =>
  Either.mapLeft(durationMillis(operation, name, input), () =>
    invalid(
      operation,
      `${name} returned ${typeof input === "object" ? "an" : "a"} ${typeof input}, which is not a duration`
    )
  )

/** A number within its bounds, both inclusive. */
export const boundedNumber = (
  operation: string,
  name: string,
  input: number,
  min: number,
  max: number
): Either.Either<number, CacheError> =>
  input >= min && input <= max
    ? Either.right(input)
    : Either.left(invalid(operation, `${name} must be a number from ${min} to ${max}, not ${input}`))

/** A whole number of at least 1. */
export const positiveInteger = (operation: string, name: string, input: number): Either.Either<number, CacheError> =>
  Number.isSafeInteger(input) && input > 0
    ? Either.right(input)
    : Either.left(invalid(operation, `${name} must be a whole number of at least 1, not ${input}`))
