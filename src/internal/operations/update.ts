/** `touch` and `increment`: they change a stored value by compare-and-set. */
import { Effect, Option, Random } from "effect"
import type { CacheBackendService } from "../../CacheBackend.js"
import { CacheError, NoCachedValue } from "../../CacheError.js"
import { CacheEvent } from "../../CacheEvent.js"
import type { CachedValue, Entry } from "../../CacheStore.js"
import { type Attempts, maxAttempts, neverReplaced, nextAttempt, noAttempts } from "../entries/attempts.js"
import { CapturedVersions, lifeFor } from "../entries/CapturedVersions.js"
import type { Snapshot } from "../entries/EntryReader.js"
import { lifespan, tombstone } from "../entries/entryState.js"
import type { Name } from "../entries/keyspace.js"
import { overwrite } from "../entries/overwrite.js"
import { logAction } from "../telemetry/logs.js"
import type { Access, FreshEntry } from "./access.js"

const refused = (reason: "NotNumeric" | "InvalidOption", description: string) =>
  Effect.fail(new CacheError({ reason, operation: "increment", description }))

export const updates = (access: Access): Pick<CacheBackendService, "touch" | "increment"> => {
  const { codec, counters, reader } = access
  const { store } = reader

  /** One of the contenders always wins. The others wait for random times, so that they collide less. */
  const pause = (tries: number): Effect.Effect<void> =>
    store.location === "process"
      ? Effect.void
      : Effect.flatMap(Random.next, (random) => Effect.sleep(Math.min(50, 2 ** tries) * random))

  /** Changes a fresh value; tries again when another write came between. `None`: there is no fresh value. */
  const rewrite = <A, E>(
    operation: "touch" | "increment",
    name: Name,
    change: (entry: Entry, value: CachedValue, read: FreshEntry) => Effect.Effect<readonly [Entry, A], E>
  ): Effect.Effect<Option.Option<A>, E | CacheError> => {
    const attempt = (tries: number, before: Attempts): Effect.Effect<Option.Option<A>, E | CacheError> =>
      Effect.flatMap(access.readFresh(name), (read) => {
        const { snapshot, value } = read
        const { stored } = snapshot
        if (stored?.entry === undefined || value === undefined) return Effect.succeedNone
        const attempts = nextAttempt(store, before, stored)
        if (attempts.unchanged > maxAttempts) return Effect.fail(neverReplaced(operation))
        return Effect.flatMap(change(stored.entry, value, read), ([entry, result]) =>
          Effect.flatMap(overwrite(store, name.finished, stored.token, entry, stored.entry), (token) =>
            Option.isSome(token)
              ? Effect.succeedSome(result)
              : Effect.zipRight(pause(tries), attempt(tries + 1, attempts))
          )
        )
      })
    return attempt(0, noAttempts)
  }

  /** Lets the versions of the entry's groups live as long as the entry will. */
  const outlived = ({ found, stored }: Snapshot, time: number, millis: number): Effect.Effect<void, CacheError> => {
    const groups = (stored?.entry?.groups ?? []).map(({ key }) => key)
    return CapturedVersions.from(store, groups, found, 1)?.outlive(time, lifeFor(millis)) ?? Effect.void
  }

  /** Tells of a change that `stats` does not count. */
  const told = (name: Name, isRemoved = false): void => {
    const { events } = counters
    if (!events.isListened) return
    events.tell(isRemoved ? CacheEvent.Invalidated({ key: name.printed }) : CacheEvent.Stored({ key: name.printed }))
  }

  const adding =
    (by: number) =>
    (entry: Entry, value: CachedValue): Effect.Effect<readonly [Entry, number], CacheError> =>
      Effect.flatMap(Effect.option(codec.decode(value.payload)), (current) => {
        if (Option.isNone(current) || typeof current.value !== "number" || Number.isNaN(current.value)) {
          return refused("NotNumeric", "the stored value is not a number")
        }
        const sum = current.value + by
        // Else the sum may be rounded to the number that was there, and no call would ever change it again.
        if (Math.abs(sum) > Number.MAX_SAFE_INTEGER || (sum === current.value && by !== 0)) {
          return refused("InvalidOption", "the sum is beyond 2^53 − 1, or by is too small to make a difference")
        }
        return Effect.map(codec.encode(sum), (payload) => [{ ...entry, value: { ...value, payload } }, sum] as const)
      })

  return {
    touch: (key, ttl, options) =>
      access.named("touch", key, options, (name) =>
        Effect.flatMap(access.times("touch", ttl === undefined ? undefined : { ttl }), (lasting) =>
          Effect.map(
            rewrite("touch", name, (entry, value, { snapshot, time }) => {
              if (lasting.ttl <= 0) return Effect.succeed([tombstone("", time), true])
              // `Infinity - Infinity` is NaN.
              const stale = value.staleUntil === value.freshUntil ? 0 : value.staleUntil - value.freshUntil
              const touched = { ...entry, value: { ...value, ...lifespan(time, lasting.ttl, stale) } }
              return Effect.as(outlived(snapshot, time, lasting.ttl + stale), [touched, true])
            }),
            (touched) => {
              if (Option.isSome(touched)) told(name, lasting.ttl <= 0)
              return Option.isSome(touched)
            }
          )
        )
      ),

    increment: (key, by = 1, options) =>
      access.named("increment", key, options, (name) =>
        Effect.flatMap(
          Number.isFinite(by)
            ? rewrite("increment", name, adding(by))
            : refused("InvalidOption", `by must be a finite number, not ${by}`),
          Option.match({
            onNone: () => Effect.fail(new NoCachedValue({ key: name.printed })),
            onSome: (sum) => {
              told(name)
              return Effect.as(logAction("SET", name.printed), sum)
            }
          })
        )
      )
  }
}
