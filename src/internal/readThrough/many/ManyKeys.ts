/** The keys of a call, and how they are read: all of them and all their groups in one round trip. */
import type { CachedValue, StoredEntry } from "../../../CacheStore.js"
import { type Snapshot, snapshotOf } from "../../entries/EntryReader.js"
import { countsUnder, isFresh } from "../../entries/entryState.js"
import { versionIn } from "../../entries/groupVersions.js"
import type { Name } from "../../entries/keyspace.js"
import { SharedVersions } from "../../entries/livingVersions.js"
import type { ValueCodec } from "../../entries/ValueCodec.js"
import type { Found } from "../../stores/Store.js"
import type { Counters } from "../../telemetry/counters.js"

/** Each key once. Its place is its index in `names`. */
export interface ManyKeys<A, Request> {
  readonly names: ReadonlyArray<Name>
  /** Of each key: finished, sorted, each once. */
  readonly groups: ReadonlyArray<ReadonlyArray<string>>
  readonly codec: ValueCodec<A>
  readonly counters: Counters
  /** Whether a fresh value may be due all the same: then no hit is plain. */
  readonly refreshesEarly: boolean
  /** The request of a key that is no plain hit. */
  readonly requestAt: (place: number) => Request
}

/** What is asked of a store: first the keys at these places, then their groups. */
export class Asked {
  readonly keys: Array<string>
  private readonly groups = new Map<string, number>()

  constructor(
    { groups, names }: Pick<ManyKeys<never, unknown>, "groups" | "names">,
    readonly places: ReadonlyArray<number>
  ) {
    this.keys = places.map((place) => names[place]?.finished ?? "")
    let last: ReadonlyArray<string> | undefined
    for (const place of places) {
      const own = groups[place] ?? []
      // Mostly all keys have the same.
      if (own === last) continue
      last = own
      for (const group of own) if (!this.groups.has(group)) this.groups.set(group, this.keys.push(group) - 1)
    }
  }

  answered(found: Found<StoredEntry>): Answered {
    return new Answered(found, this.groups)
  }
}

const versionOf = (versions: ReadonlyMap<string, string | undefined>, group: string): string | undefined =>
  versions.get(group)

/** The store's answer to `Asked`. An index is that of a key there. */
export class Answered {
  private readonly versions = new Map<string, string | undefined>()
  private readonly shared = new SharedVersions()

  constructor(
    private readonly found: Found<StoredEntry>,
    private readonly groups: ReadonlyMap<string, number>
  ) {
    for (const [group, index] of groups) this.versions.set(group, versionIn(found[index]))
  }

  stored(index: number): StoredEntry | undefined {
    return this.found[index]
  }

  /** The value, if it is fresh and of the present versions of the groups. */
  fresh(index: number, groups: ReadonlyArray<string>, now: number): CachedValue | undefined {
    const entry = this.found[index]?.entry
    if (entry?.value === undefined || !isFresh(entry.value, now)) return undefined
    return countsUnder(entry.groups, groups, this.versions, versionOf) ? entry.value : undefined
  }

  snapshot(index: number, groups: ReadonlyArray<string>): Snapshot {
    if (groups.length === 0) return snapshotOf(groups, [this.found[index]])
    const versions = groups.map((group) => this.found[this.groups.get(group) ?? -1])
    return { ...snapshotOf(groups, [this.found[index], ...versions]), shared: this.shared }
  }
}
