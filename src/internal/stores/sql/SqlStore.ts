/** A store out of what a database does inside and outside of the user's transactions. */
import type { Connection } from "@effect/sql/SqlConnection"
import { type Context, Effect, type Option } from "effect"
import type { AmendedRecord, ByteItem, ByteRecord, StoredBytes } from "../../../ByteStore.js"
import type { CacheError } from "../../../CacheError.js"
import type { RejectedItem, Token } from "../../../CacheStore.js"
import { type CallingFiber, serviceOf, withFiber } from "../../runtime/fiber.js"
import { fused } from "../fused.js"
import type { Found, FusedByteStore } from "../Store.js"
import { unlessTooLarge, withoutTooLarge } from "./items.js"
import type { Purge } from "./purgeSchedule.js"

/** The primitives. `ByteStore` says what each means. */
export interface Primitives<T extends Token> {
  readonly read: (keys: ReadonlyArray<string>) => Effect.Effect<Found<StoredBytes>, CacheError>
  readonly write: (items: ReadonlyArray<ByteItem>) => Effect.Effect<ReadonlyArray<RejectedItem>, CacheError>
  readonly add: (key: string, record: ByteRecord) => Effect.Effect<Option.Option<T>, CacheError>
  readonly replace: (key: string, token: T, record: ByteRecord) => Effect.Effect<Option.Option<T>, CacheError>
  readonly amend: (key: string, token: T, record: AmendedRecord) => Effect.Effect<Option.Option<T>, CacheError>
  readonly remove: (keys: ReadonlyArray<string>) => Effect.Effect<number, CacheError>
  readonly clear: Effect.Effect<void, CacheError>
}

/** `Effect.matchEffect` over a read: the caller's own Effect goes on with the answer. */
export type MatchRead = <A, E, R>(
  keys: ReadonlyArray<string>,
  onFound: (found: Found<StoredBytes>) => Effect.Effect<A, E, R>,
  onFailure: (error: CacheError) => Effect.Effect<A, E, R>
) => Effect.Effect<A, E, R>

/** The primitives where no transaction is around. */
export interface Outside<T extends Token> extends Omit<Primitives<T>, "read"> {
  readonly read: MatchRead
}

export const matchRead =
  (read: Primitives<unknown>["read"]): MatchRead =>
  (keys, onSuccess, onFailure) =>
    Effect.matchEffect(read(keys), { onSuccess, onFailure })

/** What a client puts into the context of a fiber that is inside its `withTransaction`. */
export type TransactionTag<Id> = Context.Tag<Id, readonly [Connection, depth: number]>

export interface Database<T extends Token, Id> {
  readonly name: string
  readonly transaction: TransactionTag<Id>
  /** On the connection of the user's transaction. */
  readonly inside: (connection: Connection) => Primitives<T>
  readonly outside: Outside<T>
  readonly isToken: (token: Token) => token is T
  readonly purge: Purge
}

/** The connection of the transaction, or undefined outside of one. */
const transactionOf = <Id>(fiber: CallingFiber, tag: TransactionTag<Id>): Connection | undefined =>
  serviceOf(fiber, tag)?.[0]

export const make = <T extends Token, Id>(database: Database<T, Id>): FusedByteStore => {
  const { inside, isToken, outside, purge, transaction } = database

  const either = <A>(use: (on: Omit<Primitives<T>, "read">, isInside: boolean) => Effect.Effect<A, CacheError>) =>
    withFiber((fiber) => {
      const connection = transactionOf(fiber, transaction)
      return connection === undefined ? use(outside, false) : use(inside(connection), true)
    })

  return {
    name: database.name,
    joinsTransaction: (fiber) => transactionOf(fiber, transaction) !== undefined,
    read: (fiber, keys, onFound, onFailure) => {
      if (keys.length === 0) return onFound([])
      const connection = transactionOf(fiber, transaction)
      const read = connection === undefined ? outside.read : matchRead(inside(connection).read)
      return read(keys, onFound, onFailure)
    },
    write: fused((items) =>
      withoutTooLarge(items, (accepted) =>
        either((on, isInside) => (isInside ? on.write(accepted) : purge.throttle(accepted.length, on.write(accepted))))
      )
    ),
    add: (key, record) =>
      unlessTooLarge("add", key, record, () =>
        either((on, isInside) => (isInside ? on.add(key, record) : purge.throttle(1, on.add(key, record))))
      ),
    replace: (key, token, record) =>
      unlessTooLarge("replace", key, record, () =>
        isToken(token) ? either((on) => on.replace(key, token, record)) : Effect.succeedNone
      ),
    amend: (key, token, record) =>
      unlessTooLarge("amend", key, record, () =>
        isToken(token) ? either((on) => on.amend(key, token, record)) : Effect.succeedNone
      ),
    remove: (keys) => (keys.length === 0 ? Effect.succeed(0) : either((on) => on.remove(keys))),
    clear: either((on) => on.clear),
    size: purge.size
  }
}
