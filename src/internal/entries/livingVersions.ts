/** The versions of groups as they stand in the store: to be read, created and renewed. */
import { Deferred, Effect, Exit, FiberId, Option } from "effect"
import type { CacheError } from "../../CacheError.js"
import type { StoredEntry, Token } from "../../CacheStore.js"
import { nowMillis, withFiber } from "../runtime/fiber.js"
import { unfused } from "../stores/fused.js"
import type { Store } from "../stores/Store.js"
import { newVersion, versionEntry, versionIn } from "./groupVersions.js"

/** Milliseconds: how long a version must live at least, and how long one lives that is created or renewed. */
export interface VersionLife {
  readonly least: number
  readonly granted: number
}

/** After so many tries what stands there can't be replaced: its token is damaged. */
const mostTries = 10

/** A version in the store. Each renewal changes the token. */
export interface LivingVersion {
  readonly key: string
  readonly version: string
  /** `undefined` if it must be read first. */
  token: Token | undefined
  until: number
  /** The group was invalidated since, or the store has lost the version: nothing that is made under it will count. */
  isGone: boolean
  /** Those who share the version wait for the end of a renewal that runs. */
  renewing?: Deferred.Deferred<void> | undefined
}

export const living = (key: string, stored: StoredEntry | undefined): LivingVersion | undefined => {
  const version = versionIn(stored)
  return version === undefined
    ? undefined
    : { key, version, token: stored?.token, until: stored?.entry?.value?.staleUntil ?? 0, isGone: false }
}

/** The versions that many computations of one call capture: each is created, and renewed, once for all of them. */
export class SharedVersions {
  private readonly known = new Map<string, LivingVersion>()
  private readonly creating = new Map<string, Deferred.Deferred<LivingVersion, CacheError>>()

  of(key: string, stored: StoredEntry | undefined): LivingVersion | undefined {
    const known = this.known.get(key)
    if (known !== undefined) return known
    const read = living(key, stored)
    if (read !== undefined) this.known.set(key, read)
    return read
  }

  create(key: string, creation: Effect.Effect<LivingVersion, CacheError>): Effect.Effect<LivingVersion, CacheError> {
    return Effect.uninterruptible(
      Effect.suspend(() => {
        const running = this.creating.get(key)
        if (running !== undefined) return Deferred.await(running)
        const created = Deferred.unsafeMake<LivingVersion, CacheError>(FiberId.none)
        this.creating.set(key, created)
        return Effect.onExit(creation, (exit) => {
          if (Exit.isSuccess(exit)) this.known.set(key, exit.value)
          this.creating.delete(key)
          Deferred.unsafeDone(created, exit)
          return Effect.void
        })
      })
    )
  }
}

/** Creates a version where there is none. Another caller may be faster: then it is the other's. */
export const add = (
  store: Store,
  key: string,
  stored: StoredEntry | undefined,
  life: VersionLife,
  tries: number
): Effect.Effect<LivingVersion, CacheError> =>
  tries === mostTries
    ? write(store, key, life)
    : withFiber((fiber) => {
        const version = newVersion()
        const until = nowMillis(fiber) + life.granted
        const entry = versionEntry(version, store.payloads, until)
        return Effect.flatMap(
          stored === undefined ? store.add(key, entry) : store.replace(key, stored.token, entry),
          Option.match({
            onSome: (token): Effect.Effect<LivingVersion, CacheError> =>
              Effect.succeed({ key, version, token, until, isGone: false }),
            onNone: () =>
              Effect.flatMap(unfused(store.read)([key]), ([other]) => {
                const theirs = living(key, other)
                return theirs === undefined ? add(store, key, other, life, tries + 1) : Effect.succeed(theirs)
              })
          })
        )
      })

/** A new version, whatever stands there: entries made under another one count no more. */
export const write = (store: Store, key: string, life: VersionLife): Effect.Effect<LivingVersion, CacheError> =>
  withFiber((fiber) => {
    const version = newVersion()
    const until = nowMillis(fiber) + life.granted
    const items = [{ key, entry: versionEntry(version, store.payloads, until) }]
    return Effect.flatMap(
      unfused(store.write)(items),
      ([rejected]): Effect.Effect<LivingVersion, CacheError> =>
        rejected === undefined
          ? Effect.succeed({ key, version, token: undefined, until, isGone: false })
          : Effect.fail(rejected.error)
    )
  })

/** Prolongs the version, unless somebody who shares it does so already. */
export const renew = (
  store: Store,
  version: LivingVersion,
  least: number,
  until: number,
  tries: number
): Effect.Effect<void, CacheError> =>
  // Interrupted between the note that it runs and its end, it would be waited for for ever.
  Effect.uninterruptibleMask((restore) => {
    if (version.isGone || version.until >= least) return Effect.void
    if (version.renewing !== undefined) {
      return restore(
        Effect.zipRight(
          Deferred.await(version.renewing),
          Effect.suspend(() => renew(store, version, least, until, tries))
        )
      )
    }
    const ended = Deferred.unsafeMake<void>(FiberId.none)
    version.renewing = ended
    return Effect.ensuring(
      restore(renewAlone(store, version, least, until, tries)),
      Effect.sync(() => {
        version.renewing = undefined
        Deferred.unsafeDone(ended, Effect.void)
      })
    )
  })

/** Prolongs the version while it is the group's. Another caller may have renewed it meanwhile: then its new token counts. */
const renewAlone = (
  store: Store,
  version: LivingVersion,
  least: number,
  until: number,
  tries: number
): Effect.Effect<void, CacheError> => {
  const replaced =
    version.token === undefined
      ? Effect.succeedNone
      : store.replace(version.key, version.token, versionEntry(version.version, store.payloads, until))
  return Effect.flatMap(
    replaced,
    Option.match({
      onSome: (token) =>
        Effect.sync(() => {
          version.token = token
          version.until = until
        }),
      onNone: () =>
        Effect.flatMap(unfused(store.read)([version.key]), ([stored]) => {
          const current = living(version.key, stored)
          if (current === undefined || current.version !== version.version) {
            version.isGone = true
            return Effect.void
          }
          version.token = current.token
          version.until = current.until
          return version.until >= least || tries === mostTries
            ? Effect.void
            : renewAlone(store, version, least, until, tries + 1)
        })
    })
  )
}
