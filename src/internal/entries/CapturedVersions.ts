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
import { Effect } from "effect"
import type { CacheError } from "../../CacheError.js"
import type { GroupVersion, StoredEntry } from "../../CacheStore.js"
import { isInTransaction, nowMillis, withFiber } from "../runtime/fiber.js"
import type { Found, Store } from "../stores/Store.js"
import {
  add,
  type LivingVersion,
  living,
  renew,
  type SharedVersions,
  type VersionLife,
  write
} from "./livingVersions.js"

export type { VersionLife } from "./livingVersions.js"

/** The life of the versions of an entry that lives so many milliseconds. */
export const lifeFor = (entryMillis: number): VersionLife => ({ least: entryMillis, granted: 2 * entryMillis })

/** The life of the versions of a computation whose lease lasts so many milliseconds. It is renewed three times in a lease. */
export const lifeWhileLeased = (leaseMillis: number): VersionLife => ({
  least: (leaseMillis * 2) / 3,
  granted: leaseMillis
})

const longestRest = 1_000

/**
 * A version that ends so soon is renewed before it is used: it could end before a renewal that is sent together with the lease.
 * Then the lease would not count, and a second caller would compute.
 */
export const leastRest = ({ granted }: VersionLife): number => Math.min(longestRest, granted / 4)

/** Operations on a network are sent together; in this process that would only cost fibers. */
const together = (store: Store, operations: number): 1 | "unbounded" =>
  operations === 1 || store.location === "process" ? 1 : "unbounded"

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
    endsAfter = Number.NEGATIVE_INFINITY,
    shared?: SharedVersions
  ): CapturedVersions | undefined {
    const held: Array<LivingVersion> = []
    for (let index = 0; index < groups.length; index++) {
      const key = groups[index] ?? ""
      const stored = found[index + offset]
      const version = shared === undefined ? living(key, stored) : shared.of(key, stored)
      if (version === undefined || version.until < endsAfter) return undefined
      held.push(version)
    }
    return new CapturedVersions(store, held)
  }

  /** The same; those that are missing are created, those that are about to end are renewed. */
  static create(
    store: Store,
    groups: ReadonlyArray<string>,
    found: Found<StoredEntry>,
    offset: number,
    life: VersionLife,
    shared?: SharedVersions
  ): Effect.Effect<CapturedVersions, CacheError> {
    return withFiber((fiber) => {
      const inside = isInTransaction(fiber)
      const added = (key: string, stored: StoredEntry | undefined) => {
        const creation = add(store, key, stored, life, 0)
        return shared === undefined ? creation : shared.create(key, creation)
      }
      const captured = Effect.forEach(
        groups,
        (key, index) => {
          const stored = found[index + offset]
          const version = shared === undefined ? living(key, stored) : shared.of(key, stored)
          const time = nowMillis(fiber)
          const isShort = version !== undefined && version.until < time + (inside ? life.least : leastRest(life))
          if (version !== undefined && !isShort) return Effect.succeed(version)
          // A renewal would hold the group until the commit. A new version invalidates the group instead.
          if (inside) return write(store, key, life)
          // Others may compute under a version that is about to end, so it is not replaced.
          return version === undefined
            ? added(key, stored)
            : Effect.flatMap(renew(store, version, time + life.least, time + life.granted, 0), () =>
                version.isGone ? added(key, undefined) : Effect.succeed(version)
              )
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
