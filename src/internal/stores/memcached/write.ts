/** Writes items to all servers concerned at once. */
import { Effect, Either } from "effect"
import type { ByteItem } from "../../../ByteStore.js"
import type { CacheError } from "../../../CacheError.js"
import type { RejectedItem } from "../../../CacheStore.js"
import { exchange, exchangeUnderGeneration, type Write } from "./client/exchange.js"
import type { Pool, Route } from "./client/Pool.js"
import { isOnePart, type Part, split } from "./client/split.js"
import type { Problem } from "./commands/Problem.js"
import { RemoveCommand } from "./commands/RemoveCommand.js"
import { type Rejection, WriteCommand } from "./commands/WriteCommand.js"

type Rejected = ReadonlyArray<RejectedItem>
type ErrorOf = (problem: Problem, key?: string) => CacheError

/**
 * Removes what stands under the keys of the rejected items. memcached deletes the item that a value too large for it was to
 * replace; a server that is only compatible with memcached may leave it there, to be served as current.
 */
const removeRejected = (
  route: Route,
  items: ReadonlyArray<ByteItem>,
  rejections: ReadonlyArray<Rejection>
): Effect.Effect<void> => {
  const lastOf = (key: string) => items.findLast((item) => item.key === key)
  const keys = rejections.filter(({ item }) => lastOf(item.key) === item).map(({ item }) => item.key)
  return keys.length === 0 ? Effect.void : Effect.ignore(exchange(route, () => new RemoveCommand(route.primary, keys)))
}

const none: Rejected = []

/** The items whose keys share a route. */
class Writing<A, E, R> implements Write<ReadonlyArray<Rejection>, A, E, R> {
  constructor(
    private readonly route: Route,
    private readonly items: ReadonlyArray<ByteItem>,
    private readonly errorOf: ErrorOf,
    private readonly onWritten: (rejected: Rejected) => Effect.Effect<A, E, R>,
    readonly failed: (problem: Problem) => Effect.Effect<A, E, R>
  ) {}

  command(): WriteCommand {
    return new WriteCommand(this.route.primary, this.items)
  }

  done(rejections: ReadonlyArray<Rejection>): Effect.Effect<A, E, R> {
    const { errorOf, items, onWritten, route } = this
    if (rejections.length === 0) return onWritten(none)
    const rejected = rejections.map(({ item: { key }, problem }) => ({ key, error: errorOf(problem, key) }))
    return Effect.flatMap(removeRejected(route, items, rejections), () => onWritten(rejected))
  }
}

/** Writes items whose keys share a route. */
const writeTo = <A, E, R>(
  route: Route,
  items: ReadonlyArray<ByteItem>,
  errorOf: ErrorOf,
  onWritten: (rejected: Rejected) => Effect.Effect<A, E, R>,
  onFailure: (problem: Problem) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => exchangeUnderGeneration(route, new Writing(route, items, errorOf, onWritten, onFailure))

/** Writes items to several servers. Fails when none of them could be asked. */
const writeParts = (parts: ReadonlyArray<Part<ByteItem>>, errorOf: ErrorOf): Effect.Effect<Rejected, CacheError> => {
  const writes = parts.map(({ elements, route }) =>
    Effect.either(writeTo<Rejected, Problem, never>(route, elements, errorOf, Effect.succeed, Effect.fail))
  )
  return Effect.flatMap(
    Effect.all(writes, { concurrency: "unbounded" }),
    (results): Effect.Effect<Rejected, CacheError> => {
      const failed = results.find(Either.isLeft)
      if (failed !== undefined && results.every(Either.isLeft)) return Effect.fail(errorOf(failed.left))
      const rejected = results.flatMap((result, index) =>
        Either.isRight(result)
          ? result.right
          : (parts[index]?.elements ?? []).map(({ key }) => ({ key, error: errorOf(result.left, key) }))
      )
      return Effect.succeed(rejected)
    }
  )
}

const keyOf = ({ key }: ByteItem): string => key
const bytesOf = ({ record }: ByteItem): number => record.bytes.length

/**
 * Writes at least one item, and goes on in the callback of the socket with what the caller makes of the answer. Fails when no
 * server could be asked. The items of some that could not be asked are among the rejected.
 */
export const fusedWrite = <A, E, R>(
  pool: Pool,
  items: ReadonlyArray<ByteItem>,
  errorOf: ErrorOf,
  onWritten: (rejected: Rejected) => Effect.Effect<A, E, R>,
  onFailure: (error: CacheError) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  const route = isOnePart(items, bytesOf) ? pool.sharedRoute(items, keyOf) : undefined
  if (route === undefined) {
    const written = writeParts(split(pool, items, keyOf, bytesOf), errorOf)
    return Effect.matchEffect(written, { onFailure, onSuccess: onWritten })
  }
  const loneKey = items.length === 1 ? items[0]?.key : undefined
  return writeTo(route, items, errorOf, onWritten, (problem) => onFailure(errorOf(problem, loneKey)))
}
