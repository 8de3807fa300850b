/** Writes items to all servers concerned at once. */
import { Effect, Either } from "effect"
import type { ByteItem } from "../../../ByteStore.js"
import type { CacheError } from "../../../CacheError.js"
import type { RejectedItem } from "../../../CacheStore.js"
import { exchange, exchangeUnderGeneration } from "./client/exchange.js"
import type { Pool } from "./client/Pool.js"
import { type Part, split } from "./client/split.js"
import type { Problem } from "./commands/Problem.js"
import { RemoveCommand } from "./commands/RemoveCommand.js"
import { type Rejection, WriteCommand } from "./commands/WriteCommand.js"

type Rejections = ReadonlyArray<Rejection>
type Rejected = ReadonlyArray<RejectedItem>
type ErrorOf = (problem: Problem, key?: string) => CacheError

/**
 * Removes what stands under the keys of the rejected items. memcached deletes the item that a value too large for it was to
 * replace; a server that is only compatible with memcached may leave it there, to be served as current.
 */
const removeRejected = (part: Part<ByteItem>, rejections: Rejections): Effect.Effect<void> => {
  const lastOf = (key: string) => part.elements.findLast((item) => item.key === key)
  const keys = rejections.filter(({ item }) => lastOf(item.key) === item).map(({ item }) => item.key)
  return keys.length === 0
    ? Effect.void
    : Effect.ignore(exchange(part.route, () => new RemoveCommand(part.route.primary, keys)))
}

const none: Effect.Effect<Rejected> = Effect.succeed([])

const writePart = <E>(
  part: Part<ByteItem>,
  errorOf: ErrorOf,
  onFailure: (problem: Problem) => Effect.Effect<Rejected, E>
): Effect.Effect<Rejected, E> =>
  exchangeUnderGeneration(
    part.route,
    () => new WriteCommand(part.route.primary, part.elements),
    (rejections: Rejections): Effect.Effect<Rejected> =>
      rejections.length === 0
        ? none
        : Effect.as(
            removeRejected(part, rejections),
            rejections.map(({ item: { key }, problem }) => ({ key, error: errorOf(problem, key) }))
          ),
    onFailure
  )

/** Fails when no server could be asked. The items of some that could not be asked are among the rejected. */
export const write = (
  pool: Pool,
  items: ReadonlyArray<ByteItem>,
  errorOf: ErrorOf
): Effect.Effect<Rejected, CacheError> =>
  Effect.suspend(() => {
    const parts = split(pool, items, ({ key }) => key)
    const [only] = parts
    if (only === undefined) return none
    const keyOfAll = items.length === 1 ? items[0]?.key : undefined
    const fail = (problem: Problem) => Effect.fail(errorOf(problem, keyOfAll))
    if (parts.length === 1) return writePart(only, errorOf, fail)
    const results = Effect.forEach(parts, (part) => Effect.either(writePart(part, errorOf, Effect.fail)), {
      concurrency: "unbounded"
    })
    return Effect.flatMap(results, (results): Effect.Effect<Rejected, CacheError> => {
      const failed = results.find(Either.isLeft)
      if (failed !== undefined && results.every(Either.isLeft)) return fail(failed.left)
      const rejected = results.flatMap((result, index) =>
        Either.isRight(result)
          ? result.right
          : (parts[index]?.elements ?? []).map(({ key }) => ({ key, error: errorOf(result.left, key) }))
      )
      return Effect.succeed(rejected)
    })
  })
