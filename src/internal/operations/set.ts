/** `set`, `setMany` and `add`. */
import { Effect, Either, type Fiber, identity, Option } from "effect"
import type { CacheBackendService, Key } from "../../CacheBackend.js"
import type { CacheError } from "../../CacheError.js"
import type { Entry, RejectedItem, WriteItem } from "../../CacheStore.js"
import { lifespan, settled } from "../entries/entryState.js"
import { during, type Name } from "../entries/keyspace.js"
import { debugIsOn, logAction, logFailure, nowMillis, storeSpan } from "../runtime/instruments.js"
import type { Reader } from "../stores/asking.js"
import type { DirectAccess, Times } from "./access.js"

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>
type Writes = Pick<CacheBackendService, "set" | "setMany" | "add">

const storedBy = ({ meters }: DirectAccess, fiber: AnyFiber, printed: string): Effect.Effect<void> => {
  meters.unsafeCount(fiber, "stored")
  return debugIsOn(fiber) ? logAction("SET", printed) : Effect.void
}

/** What `set` does about what became of its record. A class for the reason that `Waiter` in gather.ts is one. */
class Setting implements Reader<ReadonlyArray<RejectedItem>, void, CacheError, never> {
  constructor(
    private readonly access: DirectAccess,
    private readonly fiber: AnyFiber,
    private readonly name: Name
  ) {}

  found([rejected]: ReadonlyArray<RejectedItem>): Effect.Effect<void, CacheError> {
    const { access, fiber, name } = this
    if (rejected !== undefined) return this.failed(rejected.error)
    access.invalidation.superseded(name.finished)
    return storedBy(access, fiber, name.printed)
  }

  failed(error: CacheError): Effect.Effect<never, CacheError> {
    const { access, name } = this
    access.invalidation.superseded(name.finished)
    return Effect.fail(during("set", error, name.printed))
  }
}

export const writes = (access: DirectAccess): Writes => {
  const { codec, invalidation, meters, namesOf, records } = access
  const { store } = records

  const entryNow = (
    fiber: AnyFiber,
    value: unknown,
    { ttl, stale }: Times,
    groups: Entry["groups"]
  ): Either.Either<Entry, CacheError> =>
    Either.map(codec.encode(value), (payload) =>
      settled({ payload, computeMillis: 0, ...lifespan(nowMillis(fiber), ttl, stale) }, groups)
    )

  const entryOf = (value: unknown, times: Times, groups: Entry["groups"]): Effect.Effect<Entry, CacheError> =>
    Effect.withFiberRuntime((fiber) => entryNow(fiber, value, times, groups))

  const stored = (name: Name): Effect.Effect<void> =>
    Effect.withFiberRuntime((fiber) => storedBy(access, fiber, name.printed))

  const set: Writes["set"] = (key, value, options) =>
    Effect.withFiberRuntime((fiber) => {
      const names = namesOf(options)
      const named = names.name("set", key)
      if (Either.isLeft(named)) return Effect.fail(named.left)
      const name = named.right
      const toldOf = (error: CacheError) => Effect.fail(during("set", error, name.printed))
      const time = access.times("set", options)
      if (Either.isLeft(time)) return toldOf(time.left)
      const groups = names.groups("set", options?.groups ?? [])
      if (Either.isLeft(groups)) return toldOf(groups.left)
      const store = (versions: Entry["groups"]): Effect.Effect<void, CacheError> => {
        const entry = entryNow(fiber, value, time.right, versions)
        if (Either.isLeft(entry)) return toldOf(entry.left)
        if (time.right.ttl > 0) {
          const item = { key: name.finished, entry: entry.right }
          return records.writing(fiber, item, new Setting(access, fiber, name))
        }
        return Effect.catchAll(Effect.asVoid(invalidation.keys([name])), toldOf)
      }
      return groups.right.length === 0
        ? store([])
        : Effect.matchEffect(records.capture(groups.right), { onFailure: toldOf, onSuccess: store })
    })

  const setMany: Writes["setMany"] = (entries, options) =>
    Effect.suspend(() => {
      const names = namesOf(options)
      const items = [...entries]
      return Effect.gen(function* () {
        const time = yield* access.times("setMany", options)
        const groups = yield* names.groups("setMany", options?.groups ?? [])
        const named = yield* Either.all(items.map(([key]) => names.name("setMany", key)))
        if (items.length === 0) return []
        const versions = yield* records.capture(groups)
        const failed = new Map<string, CacheError>()
        const writes = new Map<string, WriteItem>()
        for (const [index, [, value]] of items.entries()) {
          const finished = named[index]?.finished ?? ""
          failed.delete(finished)
          const entry = yield* Effect.either(entryOf(value, time, versions))
          if (Either.isRight(entry)) writes.set(finished, { key: finished, entry: entry.right })
          else {
            // The last value of a key counts: one before it is not to stand in for it.
            writes.delete(finished)
            failed.set(finished, entry.left)
          }
        }
        if (time.ttl <= 0) yield* invalidation.keys(named.filter((name) => !failed.has(name.finished)))
        else if (writes.size > 0) {
          for (const { key, error } of yield* invalidation.superseding(
            [...writes.keys()],
            storeSpan("write", store.name, writes.size)(store.write([...writes.values()])),
            Effect.succeed,
            identity
          ))
            failed.set(key, error)
        }
        const rejected: Array<Key> = []
        for (const [index, [key]] of items.entries()) {
          const name = named[index]
          const error = name === undefined ? undefined : failed.get(name.finished)
          if (error !== undefined) {
            rejected.push(key)
            yield* logFailure(`Cache could not store ${name?.printed}`, error)
          } else {
            yield* meters.count("stored")
            yield* logAction("SET", name?.printed ?? "")
          }
        }
        return rejected
      })
    })

  const add: Writes["add"] = (key, value, options) =>
    access.named("add", key, options, (name) =>
      Effect.flatMap(
        Either.all([access.times("add", options), namesOf(options).groups("add", options?.groups ?? [])]),
        ([time, groups]) => {
          const attempt: Effect.Effect<boolean, CacheError> = Effect.flatMap(
            access.readFresh(name),
            ({ snapshot, value: present }) => {
              if (present !== undefined) return Effect.succeed(false)
              return Effect.flatMap(
                Effect.flatMap(records.capture(groups), (versions) => entryOf(value, time, versions)),
                (entry) => {
                  if (time.ttl <= 0) return Effect.succeed(true)
                  const before = snapshot.stored
                  const written =
                    before === undefined
                      ? store.add(name.finished, entry)
                      : store.replace(name.finished, before.token, entry)
                  return invalidation.superseding(
                    [name.finished],
                    written,
                    (token) => (Option.isSome(token) ? Effect.as(stored(name), true) : attempt),
                    identity
                  )
                }
              )
            }
          )
          return attempt
        }
      )
    )

  return { set, setMany, add }
}
