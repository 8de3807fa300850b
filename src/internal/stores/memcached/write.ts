/** Writes items to all servers concerned at once. */
import { Effect, Either } from "effect"
import type { ByteItem } from "../../../ByteStore.js"
import type { CacheError } from "../../../CacheError.js"
import type { RejectedItem } from "../../../CacheStore.js"
import type { FusedWrite } from "../Store.js"
import { checked } from "./checked.js"
import { exchange, GuardedWrite } from "./client/exchange.js"
import type { Part, Pool, Route } from "./client/Pool.js"
import type { Problem } from "./commands/Problem.js"
import { RemoveCommand } from "./commands/RemoveCommand.js"
import { type Rejection, WriteCommand } from "./commands/WriteCommand.js"
import { cacheError } from "./errors.js"
import { isKey } from "./protocol/request.js"

type Rejected = ReadonlyArray<RejectedItem>

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

const rejectedItem = (key: string, problem: Problem): RejectedItem => ({
  key,
  error: cacheError("write", problem, key)
})

/** Writes items whose keys share a route. */
class Writing<A, E, R> extends GuardedWrite<ReadonlyArray<Rejection>, A, E, R> {
  constructor(
    route: Route,
    private readonly items: ReadonlyArray<ByteItem>,
    private readonly onWritten: (rejected: Rejected) => Effect.Effect<A, E, R>,
    protected readonly refused: (problem: Problem) => Effect.Effect<A, E, R>
  ) {
    super(route)
  }

  protected command(): WriteCommand {
    return new WriteCommand(this.route.primary, this.items)
  }

  protected written(rejections: ReadonlyArray<Rejection>): Effect.Effect<A, E, R> {
    const { items, onWritten, route } = this
    if (rejections.length === 0) return onWritten(none)
    const rejected = rejections.map(({ item: { key }, problem }) => rejectedItem(key, problem))
    return Effect.flatMap(removeRejected(route, items, rejections), () => onWritten(rejected))
  }
}

/** Writes items to several servers. Fails when none of them could be asked. */
const writeParts = (parts: ReadonlyArray<Part<ByteItem>>): Effect.Effect<Rejected, CacheError> => {
  const writes = parts.map(({ elements, route }) =>
    Effect.either(new Writing<Rejected, Problem, never>(route, elements, Effect.succeed, Effect.fail).send())
  )
  return Effect.flatMap(
    Effect.all(writes, { concurrency: "unbounded" }),
    (results): Effect.Effect<Rejected, CacheError> => {
      const failed = results.find(Either.isLeft)
      if (failed !== undefined && results.every(Either.isLeft)) return Effect.fail(cacheError("write", failed.left))
      const rejected = results.flatMap((result, index) =>
        Either.isRight(result)
          ? result.right
          : (parts[index]?.elements ?? []).map(({ key }) => rejectedItem(key, result.left))
      )
      return Effect.succeed(rejected)
    }
  )
}

const keyOf = ({ key }: ByteItem): string => key
const bytesOf = ({ record }: ByteItem): number => record.bytes.length

/** The items of servers that could not be asked are among the rejected. */
const write = <A, E, R>(
  pool: Pool,
  items: ReadonlyArray<ByteItem>,
  onWritten: (rejected: Rejected) => Effect.Effect<A, E, R>,
  onFailure: (error: CacheError) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  const route = pool.sharedRoute(items, keyOf, bytesOf)
  if (route === undefined) {
    const written = writeParts(pool.split(items, keyOf, bytesOf))
    return Effect.matchEffect(written, { onFailure, onSuccess: onWritten })
  }
  const loneKey = items.length === 1 ? items[0]?.key : undefined
  const refused = (problem: Problem) => onFailure(cacheError("write", problem, loneKey))
  return new Writing(route, items, onWritten, refused).send()
}

export const writeTo =
  (pool: Pool): FusedWrite<ByteItem> =>
  (_fiber, items, onWritten, onFailure) => {
    if (items.length === 0) return onWritten(none)
    if (!pool.settings.failover && items.every(({ key }) => isKey(key))) return write(pool, items, onWritten, onFailure)
    const writing = Effect.suspend(() => write<Rejected, CacheError, never>(pool, items, Effect.succeed, Effect.fail))
    return Effect.matchEffect(checked(pool, "write", items.map(keyOf), writing), { onFailure, onSuccess: onWritten })
  }
