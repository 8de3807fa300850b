/**
 * Writes items to all servers concerned at once.
 *
 * @since 0.1.0
 */
import { Effect, Either } from "effect"
import type { ByteItem } from "../ByteStore.js"
import type { CacheError } from "../CacheError.js"
import type { RejectedItem } from "../CacheStore.js"
import type { Problem } from "./Call.js"
import { exchange, exchangeUnderGeneration } from "./exchange.js"
import type { Pool } from "./Pool.js"
import { RemoveCall } from "./RemoveCall.js"
import { type Part, split } from "./split.js"
import { type Rejection, WriteCall } from "./WriteCall.js"

/**
 * memcached deletes the record that a value too large for it was to replace; what is compatible with memcached may leave
 * it there, to be served as current.
 */
const forget = (part: Part<ByteItem>, rejections: ReadonlyArray<Rejection>): Effect.Effect<void> => {
  const lastOf = (key: string) => part.elements.findLast((item) => item.key === key)
  const keys = rejections.filter(({ item }) => lastOf(item.key) === item).map(({ item }) => item.key)
  const { holder, home } = part.route
  return keys.length === 0
    ? Effect.void
    : Effect.ignore(exchange<number>({ holder, home }, (listener) => new RemoveCall(home, keys, listener)))
}

const writePart = (part: Part<ByteItem>): Effect.Effect<ReadonlyArray<Rejection>, Problem> =>
  exchangeUnderGeneration(
    part.route,
    (listener: ConstructorParameters<typeof WriteCall>[2]) => new WriteCall(part.route.home, part.elements, listener)
  )

const none: Effect.Effect<ReadonlyArray<RejectedItem>> = Effect.succeed([])

/** Fails when no server could be asked; the items of some that could not are among the rejected. */
export const writeMany = (
  pool: Pool,
  items: ReadonlyArray<ByteItem>,
  toError: (key: string, problem: Problem) => CacheError
): Effect.Effect<ReadonlyArray<RejectedItem>, Problem> =>
  Effect.suspend(() => {
    const parts = split(pool, items, (item) => item.key)
    const rejected = (rejections: ReadonlyArray<Rejection>): ReadonlyArray<RejectedItem> =>
      rejections.map(({ item, problem }) => ({ key: item.key, error: toError(item.key, problem) }))
    const [only] = parts
    if (only === undefined) return none
    if (parts.length === 1) {
      return Effect.flatMap(writePart(only), (rejections) =>
        rejections.length === 0 ? none : Effect.as(forget(only, rejections), rejected(rejections))
      )
    }
    return Effect.flatMap(
      Effect.forEach(
        parts,
        (part) => Effect.either(Effect.tap(writePart(part), (rejections) => forget(part, rejections))),
        { concurrency: "unbounded" }
      ),
      (results): Effect.Effect<ReadonlyArray<RejectedItem>, Problem> => {
        const failed = results.find(Either.isLeft)
        if (failed !== undefined && results.every(Either.isLeft)) return Effect.fail(failed.left)
        return Effect.succeed(
          results.flatMap((result, index) =>
            Either.match(result, {
              onLeft: (problem) => rejected((parts[index]?.elements ?? []).map((item) => ({ item, problem }))),
              onRight: rejected
            })
          )
        )
      }
    )
  })
