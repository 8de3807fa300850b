/**
 * The versions that the groups of one computation or one write had before it. They are kept alive in the store for as long as the
 * entry that is made under them.
 *
 * - A version is created with the life of a lease when a computation first needs it. So a computation that stores nothing leaves
 *   nothing that outlives its lease.
 * - It is renewed with the lease, and once more when a value is stored: to twice the life of that value, so that renewals are rare.
 * - A renewal is a compare-and-set over the version that was captured. It fails if the group was invalidated. A version that has
 *   ended is never created again under its old text, because nobody could tell its end from an invalidation.
 *
 * A version that ends too early, because clocks differ or the store had no room, costs misses and nothing else.
 */
import { Effect, Option } from "effect"
import type { CacheError } from "../../CacheError.js"
import type { GroupVersion, StoredEntry, Token } from "../../CacheStore.js"
import { nowMillis, withFiber } from "../runtime/fiber.js"
import { isInTransaction } from "../runtime/transaction.js"
import { unfused } from "../stores/fused.js"
import type { Found, Store } from "../stores/Store.js"
import { newVersion, versionEntry, versionIn } from "./groupVersions.js"

/** Milliseconds: how long a version must live at least, and how long one lives that is created or renewed. */
export interface VersionLife {
  readonly least: number
  readonly granted: number
}

/** The life of the versions of an entry that lives so many milliseconds. */
export const lifeFor = (entryMillis: number): VersionLife => ({ least: entryMillis, granted: 2 * entryMillis })

/** The life of the versions of a computation whose lease lasts so many milliseconds. It is renewed three times in a lease. */
export const lifeWhileLeased = (leaseMillis: number): VersionLife => ({
  least: (leaseMillis * 2) / 3,
  granted: leaseMillis
})

const longestRest = 1_000

/**
 * A version that ends so soon is replaced by a new one instead of renewed: it could end before its renewal. Then a lease under it
 * would not count, and a second caller would compute. Who computes under a version renews it much earlier.
 */
export const leastRest = ({ granted }: VersionLife): number => Math.min(longestRest, granted / 4)

/** After so many tries what stands there can't be replaced: its token is damaged. */
const mostTries = 10

/** Operations on a network are sent together; in this process that would only cost fibers. */
const together = (store: Store, operations: number): 1 | "unbounded" =>
  operations === 1 || store.location === "process" ? 1 : "unbounded"

/** A version in the store. Each renewal changes the token. */
interface LivingVersion {
  readonly key: string
  readonly version: string
  /** `undefined` if it must be read first. */
  token: Token | undefined
  until: number
}

const living = (key: string, stored: StoredEntry | undefined): LivingVersion | undefined => {
  const version = versionIn(stored)
  return version === undefined
    ? undefined
    : { key, version, token: stored?.token, until: stored?.entry?.value?.staleUntil ?? 0 }
}

export class CapturedVersions {
  /** For the entry that is made under them. */
  readonly versions: ReadonlyArray<GroupVersion>

  private constructor(
    private readonly store: Store,
    private readonly held: ReadonlyArray<LivingVersion>
  ) {
    this.versions = held.map(({ key, version }) => ({ key, version }))
  }

  /**
   * The versions in `found`, which has the entries of the groups from `offset` on; `undefined` when one is missing.
   *
   * @param endsAfter the time that each must live to, or it counts as missing
   */
  static from(
    store: Store,
    groups: ReadonlyArray<string>,
    found: Found<StoredEntry>,
    offset: number,
    endsAfter = Number.NEGATIVE_INFINITY
  ): CapturedVersions | undefined {
    const held: Array<LivingVersion> = []
    for (let index = 0; index < groups.length; index++) {
      const version = living(groups[index] ?? "", found[index + offset])
      if (version === undefined || version.until < endsAfter) return undefined
      held.push(version)
    }
    return new CapturedVersions(store, held)
  }

  /** The same; those that are missing or about to end are created anew. */
  static create(
    store: Store,
    groups: ReadonlyArray<string>,
    found: Found<StoredEntry>,
    offset: number,
    life: VersionLife
  ): Effect.Effect<CapturedVersions, CacheError> {
    return withFiber((fiber) => {
      const inside = isInTransaction(fiber)
      const present = (stored: StoredEntry | undefined, key: string) => {
        const version = living(key, stored)
        // Inside a transaction a renewal would hold the group until the commit. A new version invalidates the group instead.
        const rest = inside ? life.least : leastRest(life)
        return version !== undefined && version.until < nowMillis(fiber) + rest ? undefined : version
      }
      const captured = Effect.forEach(
        groups,
        (key, index) => {
          const stored = found[index + offset]
          const version = present(stored, key)
          if (version !== undefined) return Effect.succeed(version)
          return inside ? write(store, key, life) : add(store, key, stored, life, 0)
        },
        // A transaction has one connection.
        { concurrency: inside ? 1 : together(store, groups.length) }
      )
      return Effect.map(captured, (held) => new CapturedVersions(store, held))
    })
  }

  /** Renews the versions that live too short from `time` on. Returns `undefined` if all live long enough. */
  outlive(time: number, { granted, least }: VersionLife): Effect.Effect<void, CacheError> | undefined {
    const short = this.held.filter(({ until }) => until < time + least)
    return short.length === 0
      ? undefined
      : Effect.forEach(short, (version) => renew(this.store, version, time + least, time + granted, 0), {
          concurrency: together(this.store, short.length),
          discard: true
        })
  }
}

/** Creates a version where there is none. Another caller may be faster: then it is the other's. */
const add = (
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
            onSome: (token): Effect.Effect<LivingVersion, CacheError> => Effect.succeed({ key, version, token, until }),
            onNone: () =>
              Effect.flatMap(unfused(store.read)([key]), ([other]) => {
                const theirs = living(key, other)
                return theirs === undefined ? add(store, key, other, life, tries + 1) : Effect.succeed(theirs)
              })
          })
        )
      })

/** A new version, whatever stands there: entries made under another one count no more. */
const write = (store: Store, key: string, life: VersionLife): Effect.Effect<LivingVersion, CacheError> =>
  withFiber((fiber) => {
    const version = newVersion()
    const until = nowMillis(fiber) + life.granted
    const items = [{ key, entry: versionEntry(version, store.payloads, until) }]
    return Effect.flatMap(
      unfused(store.write)(items),
      ([rejected]): Effect.Effect<LivingVersion, CacheError> =>
        rejected === undefined ? Effect.succeed({ key, version, token: undefined, until }) : Effect.fail(rejected.error)
    )
  })

/** Prolongs the version while it is the group's. Another caller may have renewed it meanwhile: then its new token counts. */
const renew = (
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
            // Invalidated: nothing that is made under this version will count, so there is nothing to renew.
            version.until = Number.POSITIVE_INFINITY
            return Effect.void
          }
          version.token = current.token
          version.until = current.until
          return version.until >= least || tries === mostTries
            ? Effect.void
            : renew(store, version, least, until, tries + 1)
        })
    })
  )
}
