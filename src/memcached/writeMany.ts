/**
 * Writes items to all servers concerned at once.
 *
 * @since 0.1.0
 */
import { Effect, Either } from "effect"
import type { ByteItem } from "../ByteStore.js"
import type { CacheError } from "../CacheError.js"
import type { RejectedItem } from "../CacheStore.js"
import { type Listener, type Problem, type Superseded, superseded } from "./Call.js"
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

type Written = Effect.Effect<ReadonlyArray<RejectedItem>, CacheError>
type ToError = (key: string, problem: Problem) => CacheError

/** Says what became of a lone item. */
class Writing implements Listener<ReadonlyArray<Rejection> | Superseded> {
  constructor(
    private readonly part: Part<ByteItem>,
    private readonly again: Written,
    private readonly toError: ToError,
    private readonly resume: (written: Written) => void
  ) {}

  done(result: ReadonlyArray<Rejection> | Superseded): void {
    if (result === superseded) this.resume(this.again)
    else if (result.length === 0) this.resume(none)
    else this.resume(Effect.as(forget(this.part, result), rejectedItems(result, this.toError)))
  }

  failed(problem: Problem): void {
    this.resume(Effect.fail(this.toError(this.part.elements[0]?.key ?? "", problem)))
  }
}

/** One item, by far the most usual write, in few operations where the server's generation is known. */
export const writeOne = (pool: Pool, item: ByteItem, toError: ToError): Written =>
  Effect.suspend(() => {
    const elements = [item]
    const again = Effect.mapError(writeMany(pool, elements, toError), (problem) => toError(item.key, problem))
    const route = pool.route(item.key)
    const { holder, home } = route
    if (holder.generations.current(home) === undefined) return again
    return Effect.async((resume) =>
      holder.ask(
        new WriteCall(home, elements, new Writing({ route, elements, positions: [0] }, again, toError, resume))
      )
    )
  })

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
