/**
 * The operations of the service on single records. They see fresh values only: a lease, a tombstone and a value past its
 * time to live count as absent. All read-modify-write goes through the store's compare-and-set.
 */
import { Effect, Either, type Fiber, identity, Option, Random } from "effect"
import type { CacheBackendService, Key, SetOptions, VersionOption } from "../CacheBackend.js"
import { CacheError, NoCachedValue } from "../CacheError.js"
import type { CachedValue, Entry, StoredEntry, WriteItem } from "../CacheStore.js"
import { debugIsOn, type Instruments, logAction, logFailure, nowMillis, storeSpan, storeSpanOn } from "./instruments.js"
import type { Invalidation } from "./invalidation.js"
import { isFresh, judge, lifespan, settled, tombstone } from "./mint.js"
import { during, type Name, type Names } from "./names.js"
import { durationMillis } from "./options.js"
import { now, type Records, type Snapshot } from "./records.js"

type Operations = Pick<
  CacheBackendService,
  | "get"
  | "getMany"
  | "has"
  | "set"
  | "setMany"
  | "add"
  | "touch"
  | "increment"
  | "delete"
  | "deleteMany"
  | "invalidateGroup"
>

const nothing: Snapshot = { stored: undefined, versions: undefined }

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

interface Times {
  readonly ttl: number
  readonly stale: number
}

export const directOperations = (
  records: Records,
  invalidation: Invalidation,
  instruments: Instruments,
  namesOf: (options: VersionOption | undefined) => Names,
  defaultTtl: number
): Operations => {
  const { store } = records
  const codec = records.plainCodec
  const meters = instruments.direct

  const named = <A, E, R>(
    operation: string,
    key: Key,
    options: VersionOption | undefined,
    use: (name: Name) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | CacheError, R> =>
    Effect.suspend(() => {
      const name = namesOf(options).name(operation, key)
      return Either.isLeft(name)
        ? Effect.fail(name.left)
        : Effect.mapError(use(name.right), (error) =>
            error instanceof CacheError ? during(operation, error, name.right.printed) : error
          )
    })

  const times = (operation: string, options: SetOptions | undefined): Either.Either<Times, CacheError> =>
    Either.zipWith(
      options?.ttl === undefined ? Either.right(defaultTtl) : durationMillis(operation, "ttl", options.ttl),
      options?.stale === undefined ? Either.right(0) : durationMillis(operation, "stale", options.stale),
      (ttl, stale) => ({ ttl, stale })
    )

  const freshValue = ({ stored, versions }: Snapshot, time: number): CachedValue | undefined => {
    const verdict = judge(stored?.entry, versions, time)
    return verdict._tag === "Fresh" ? verdict.value : undefined
  }

  const readFresh = (
    name: Name
  ): Effect.Effect<{ snapshot: Snapshot; value: CachedValue | undefined; time: number }, CacheError> =>
    Effect.flatMap(records.readWithOwnGroups([name.finished]), (snapshots) =>
      Effect.withFiberRuntime((fiber) => {
        const time = nowMillis(fiber)
        const snapshot = snapshots[0] ?? nothing
        return Effect.succeed({ snapshot, value: freshValue(snapshot, time), time })
      })
    )

  const absent = (snapshot: Snapshot, printed: string, undecodable: boolean): Effect.Effect<Option.Option<unknown>> =>
    Effect.as(
      Effect.all([
        meters.count("misses"),
        undecodable || (snapshot.stored !== undefined && snapshot.stored.entry === undefined)
          ? meters.count("undecodable")
          : Effect.void,
        logAction("MISS", printed)
      ]),
      Option.none()
    )

  const present = (result: unknown, printed: string): Effect.Effect<Option.Option<unknown>> =>
    Effect.withFiberRuntime((fiber) => {
      meters.unsafeCount(fiber, "hits")
      const found = Option.some(result)
      return debugIsOn(fiber) ? Effect.as(logAction("HIT", printed), found) : Effect.succeed(found)
    })

  const decoded = (
    snapshot: Snapshot,
    value: CachedValue | undefined,
    printed: string
  ): Effect.Effect<Option.Option<unknown>> =>
    value === undefined
      ? absent(snapshot, printed, false)
      : Effect.matchEffect(codec.decode(value.payload), {
          onSuccess: (result) => present(result, printed),
          onFailure: () => absent(snapshot, printed, true)
        })

  /** A fresh value without groups that decodes: by far the most usual answer, without a detour. */
  const plainHit = (stored: StoredEntry | undefined, fiber: AnyFiber): Option.Option<unknown> | undefined => {
    const entry = stored?.entry
    if (entry?.value === undefined || entry.groups.length > 0 || debugIsOn(fiber)) return undefined
    if (!isFresh(entry.value, nowMillis(fiber))) return undefined
    const value = codec.decode(entry.value.payload)
    if (Either.isLeft(value)) return undefined
    meters.unsafeCount(fiber, "hits")
    return Option.some(value.right)
  }

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

  const storedBy = (fiber: AnyFiber, printed: string): Effect.Effect<void> => {
    meters.unsafeCount(fiber, "stored")
    return debugIsOn(fiber) ? logAction("SET", printed) : Effect.void
  }

  const stored = (name: Name): Effect.Effect<void> => Effect.withFiberRuntime((fiber) => storedBy(fiber, name.printed))

  const writeOne = (fiber: AnyFiber, { finished, printed }: Name, entry: Entry): Effect.Effect<void, CacheError> =>
    invalidation.superseding(
      [finished],
      storeSpanOn(fiber, "write", store.name, 1, store.write([{ key: finished, entry }])),
      (rejected) => {
        const first = rejected[0]
        return first === undefined ? storedBy(fiber, printed) : Effect.fail(during("set", first.error, printed))
      },
      (error) => during("set", error, printed)
    )

  const set: Operations["set"] = (key, value, options) =>
    Effect.withFiberRuntime((fiber) => {
      const names = namesOf(options)
      const named = names.name("set", key)
      if (Either.isLeft(named)) return Effect.fail(named.left)
      const name = named.right
      const toldOf = (error: CacheError) => Effect.fail(during("set", error, name.printed))
      const time = times("set", options)
      if (Either.isLeft(time)) return toldOf(time.left)
      const groups = names.groups("set", options?.groups ?? [])
      if (Either.isLeft(groups)) return toldOf(groups.left)
      const store = (versions: Entry["groups"]): Effect.Effect<void, CacheError> => {
        const entry = entryNow(fiber, value, time.right, versions)
        if (Either.isLeft(entry)) return toldOf(entry.left)
        if (time.right.ttl > 0) return writeOne(fiber, name, entry.right)
        return Effect.catchAll(Effect.asVoid(invalidation.keys([name])), toldOf)
      }
      return groups.right.length === 0
        ? store([])
        : Effect.matchEffect(records.capture(groups.right), { onFailure: toldOf, onSuccess: store })
    })

  const setMany: Operations["setMany"] = (entries, options) =>
    Effect.suspend(() => {
      const names = namesOf(options)
      const items = [...entries]
      return Effect.gen(function* () {
        const time = yield* times("setMany", options)
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

  const add: Operations["add"] = (key, value, options) =>
    named("add", key, options, (name) =>
      Effect.flatMap(
        Either.all([times("add", options), namesOf(options).groups("add", options?.groups ?? [])]),
        ([time, groups]) => {
          const attempt: Effect.Effect<boolean, CacheError> = Effect.flatMap(
            readFresh(name),
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

  /** Rewrites a fresh value until no one else came between. `None`: there is none. */
  const rewrite = <A, E>(
    name: Name,
    change: (entry: Entry, value: CachedValue, time: number) => Effect.Effect<readonly [Entry, A], E>
  ): Effect.Effect<Option.Option<A>, E | CacheError> => {
    const attempt = (tries: number): Effect.Effect<Option.Option<A>, E | CacheError> =>
      Effect.flatMap(readFresh(name), ({ snapshot, value, time }) => {
        const { stored } = snapshot
        if (stored?.entry === undefined || value === undefined) return Effect.succeed(Option.none())
        return Effect.flatMap(change(stored.entry, value, time), ([entry, result]) =>
          Effect.flatMap(store.replace(name.finished, stored.token, entry), (token) =>
            Option.isSome(token)
              ? Effect.succeed(Option.some(result))
              : Effect.flatMap(Random.next, (random) =>
                  // One of the contenders always wins; the others spread out so that the next one does too.
                  Effect.zipRight(
                    records.store.unsafeRead === undefined
                      ? Effect.sleep(Math.min(50, 2 ** tries) * random)
                      : Effect.void,
                    attempt(tries + 1)
                  )
                )
          )
        )
      })
    return attempt(0)
  }

  return {
    get: (key, options) =>
      Effect.withFiberRuntime((fiber) => {
        const named = namesOf(options).name("get", key)
        if (Either.isLeft(named)) return Effect.fail(named.left)
        const { finished, printed } = named.right
        return records.reading<Option.Option<unknown>, CacheError, never>(fiber, [finished], {
          found: (found) => {
            const hit = plainHit(found[0], fiber)
            if (hit !== undefined) return Effect.succeed(hit)
            return records.withOwnGroups(found).pipe(
              Effect.flatMap((snapshots) =>
                Effect.flatMap(now, (time) => {
                  const snapshot = snapshots[0] ?? nothing
                  return decoded(snapshot, freshValue(snapshot, time), printed)
                })
              ),
              Effect.mapError((error) => during("get", error, printed))
            )
          },
          failed: (error) => Effect.fail(during("get", error, printed))
        })
      }),

    getMany: (keys, options) =>
      Effect.suspend(() => {
        const asked = [...keys]
        return Effect.gen(function* () {
          const names = yield* Either.all(asked.map((key) => namesOf(options).name("getMany", key)))
          const found = new Map<Key, unknown>()
          if (asked.length === 0) return found
          const snapshots = yield* records.readWithOwnGroups(names.map((name) => name.finished))
          const time = yield* now
          for (const [index, key] of asked.entries()) {
            const snapshot = snapshots[index]
            if (snapshot === undefined) continue
            const value = yield* decoded(snapshot, freshValue(snapshot, time), names[index]?.printed ?? "")
            if (Option.isSome(value)) found.set(key, value.value)
          }
          return found
        })
      }),

    has: (key, options) =>
      named("has", key, options, (name) => Effect.map(readFresh(name), ({ value }) => value !== undefined)),

    set,
    setMany,
    add,

    touch: (key, ttl, options) =>
      named("touch", key, options, (name) =>
        Effect.flatMap(times("touch", ttl === undefined ? undefined : { ttl }), (lasting) =>
          Effect.map(
            rewrite(name, (entry, value, time) => {
              const stale = value.staleUntil === value.freshUntil ? 0 : value.staleUntil - value.freshUntil
              return Effect.succeed([
                lasting.ttl <= 0
                  ? tombstone("", time)
                  : { ...entry, value: { ...value, ...lifespan(time, lasting.ttl, stale) } },
                true
              ])
            }),
            Option.isSome
          )
        )
      ),

    increment: (key, by = 1, options) =>
      named("increment", key, options, (name) =>
        Effect.flatMap(
          Number.isFinite(by)
            ? rewrite(name, (entry, value) =>
                Effect.flatMap(Effect.option(codec.decode(value.payload)), (current) => {
                  if (Option.isNone(current) || typeof current.value !== "number") {
                    return Effect.fail(
                      new CacheError({
                        reason: "NotNumeric",
                        operation: "increment",
                        description: "the stored value is not a number"
                      })
                    )
                  }
                  const sum = current.value + by
                  return Effect.map(
                    codec.encode(sum),
                    (payload) => [{ ...entry, value: { ...value, payload } }, sum] as const
                  )
                })
              )
            : Effect.fail(
                new CacheError({
                  reason: "InvalidOption",
                  operation: "increment",
                  description: `by must be a finite number, not ${by}`
                })
              ),
          Option.match({
            onNone: () => Effect.fail(new NoCachedValue({ key: name.printed })),
            onSome: (sum) => Effect.as(logAction("SET", name.printed), sum)
          })
        )
      ),

    delete: (key, options) =>
      named("delete", key, options, (name) =>
        Effect.zipWith(
          Effect.map(readFresh(name), ({ value }) => value !== undefined),
          Effect.suspend(() => invalidation.keys([name])),
          (fresh, removed) => fresh && removed > 0
        )
      ),

    deleteMany: (keys, options) =>
      Effect.suspend(() => {
        const asked = [...keys]
        return Effect.gen(function* () {
          const names = yield* Either.all(asked.map((key) => namesOf(options).name("deleteMany", key)))
          if (names.length === 0) return 0
          const unique = [...new Map(names.map((name) => [name.finished, name])).values()]
          const snapshots = yield* records.readWithOwnGroups(unique.map((name) => name.finished))
          const time = yield* now
          const fresh = snapshots.filter((snapshot) => freshValue(snapshot, time) !== undefined).length
          return Math.min(fresh, yield* invalidation.keys(unique))
        })
      }),

    invalidateGroup: (name, options) =>
      Effect.flatMap(
        Effect.suspend(() => namesOf(options).group("invalidateGroup", name)),
        (key) => invalidation.group(key, name)
      )
  }
}
