/**
 * Writes items to all servers concerned at once.
 *
 * @since 0.1.0
 */
import { Effect, Either } from "effect"
import type { ByteItem } from "../../../ByteStore.js"
import type { CacheError } from "../../../CacheError.js"
import type { RejectedItem } from "../../../CacheStore.js"
import type { Asker, Writing } from "../legacy.js"
import { exchange, exchangeUnderGeneration } from "./client/exchange.js"
import type { Pool, Route } from "./client/Pool.js"
import { type Part, split } from "./client/split.js"
import { type Listener, type Problem, type Superseded, superseded } from "./commands/Command.js"
import { RemoveCall } from "./commands/RemoveCommand.js"
import { type Rejection, WriteCall } from "./commands/WriteCommand.js"

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

const nothing: ReadonlyArray<RejectedItem> = []
const none: Effect.Effect<ReadonlyArray<RejectedItem>> = Effect.succeed(nothing)

type ToError = (key: string, problem: Problem) => CacheError

/** Says what became of a lone item. */
class LoneItem implements Listener<ReadonlyArray<Rejection> | Superseded> {
  constructor(
    private readonly pool: Pool,
    private readonly route: Route,
    private readonly items: readonly [ByteItem],
    private readonly toError: ToError,
    private readonly asker: Asker<ReadonlyArray<RejectedItem>>
  ) {}

  done(result: ReadonlyArray<Rejection> | Superseded): void {
    if (result === superseded) this.asker.failed(writeAgain(this.pool, this.items, this.toError))
    else if (result.length === 0) this.asker.answered(nothing)
    else {
      const part = { route: this.route, elements: [...this.items], positions: [0] }
      this.asker.failed(Effect.as(forget(part, result), rejectedItems(result, this.toError)))
    }
  }

  failed(problem: Problem): void {
    this.asker.failed(Effect.fail(this.toError(this.items[0].key, problem)))
  }
}

const writeAgain = (pool: Pool, items: readonly [ByteItem], toError: ToError): Writing =>
  Effect.mapError(writeMany(pool, items, toError), (problem) => toError(items[0].key, problem))

/**
 * One item, by far the most usual write, by callbacks, which nobody can give up on. Where it can't be sent at once, under a
 * generation that is known, tells what to do in its place.
 */
export const writeOne = (
  pool: Pool,
  item: ByteItem,
  toError: ToError,
  asker: Asker<ReadonlyArray<RejectedItem>>
): Writing | undefined => {
  const items = [item] as const
  const route = pool.route(item.key)
  const { holder, home } = route
  if (!holder.isReady || holder.generations.current(home) === undefined) return writeAgain(pool, items, toError)
  holder.ask(new WriteCall(home, items, new LoneItem(pool, route, items, toError, asker)))
  return undefined
}

const rejectedItems = (rejections: ReadonlyArray<Rejection>, toError: ToError): ReadonlyArray<RejectedItem> =>
  rejections.map(({ item, problem }) => ({ key: item.key, error: toError(item.key, problem) }))

/** Fails when no server could be asked; the items of some that could not are among the rejected. */
export const writeMany = (
  pool: Pool,
  items: ReadonlyArray<ByteItem>,
  toError: ToError
): Effect.Effect<ReadonlyArray<RejectedItem>, Problem> =>
  Effect.suspend(() => {
    const parts = split(pool, items, (item) => item.key)
    const rejected = (rejections: ReadonlyArray<Rejection>) => rejectedItems(rejections, toError)
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
