/** Makes the entry of a value that a caller passes, and counts it when it is stored. */
import { Effect, Either } from "effect"
import type { CacheError } from "../../CacheError.js"
import type { Entry } from "../../CacheStore.js"
import { lifespan, valueEntry } from "../entries/entryState.js"
import type { AnySchema } from "../entries/ValueCodec.js"
import { type CallingFiber, debugIsOn, nowMillis } from "../runtime/fiber.js"
import type { Shown } from "../telemetry/counters.js"
import { logAction } from "../telemetry/logs.js"
import type { Access, Times } from "./access.js"

/** The entry of a value without a schema. */
export const newEntry = (
  { codec, counters }: Access,
  fiber: CallingFiber,
  name: Shown,
  value: unknown,
  times: Times,
  groups: Entry["groups"]
): Either.Either<Entry, CacheError> => {
  const encoded = codec.encode(value)
  if (Either.isRight(encoded)) return Either.right(entryOf(fiber, encoded.right, times, groups))
  counters.countOn(fiber, "refused", name)
  return Either.left(encoded.left)
}

/** The same with a schema. */
export const newTypedEntry = (
  access: Access,
  schema: AnySchema,
  fiber: CallingFiber,
  name: Shown,
  value: unknown,
  times: Times,
  groups: Entry["groups"]
): Effect.Effect<Entry, CacheError> =>
  Effect.matchEffect(access.codecOf(schema).encode(value), {
    onFailure: (error) => Effect.zipRight(access.counters.count("refused", name), Effect.fail(error)),
    onSuccess: (payload) => Effect.succeed(entryOf(fiber, payload, times, groups))
  })

const entryOf = (fiber: CallingFiber, payload: unknown, { stale, ttl }: Times, groups: Entry["groups"]): Entry => {
  const { freshUntil, staleUntil } = lifespan(nowMillis(fiber), ttl, stale)
  return valueEntry({ payload, computeMillis: 0, freshUntil, staleUntil }, groups)
}

export const countStored = ({ counters }: Access, fiber: CallingFiber, name: Shown): Effect.Effect<void> => {
  counters.countOn(fiber, "stored", name)
  return debugIsOn(fiber) ? logAction("SET", name.printed) : Effect.void
}
