/**
 * The id of a lease: that of its flight, `<layer>.<number>`. A lease that was acquired over one that had ended without a value
 * names it: `<id><<ended>`. So whoever waited for that one sees how it ended, although another lease stands in its place.
 */
import type { Entry, StoredEntry } from "../../../CacheStore.js"

const ended = "<"

/** What is longer was not made by `leaseId`. */
const longest = 200

export const leaseId = (layer: string, count: number, after: string | undefined): string =>
  after === undefined ? `${layer}.${count}` : `${layer}.${count}${ended}${withoutEnded(after)}`

export const isWellFormed = (id: string): boolean => id.length <= longest

const withoutEnded = (id: string): string => {
  const end = id.indexOf(ended)
  return end < 0 ? id : id.slice(0, end)
}

/** The id in a tombstone of a computation that had nothing to store. */
export const endedWithoutValue = (entry: Entry | undefined, now: number): string | undefined => {
  if (entry === undefined || entry.value !== undefined) return undefined
  const { id = "", until = 0 } = entry.lease ?? {}
  return id !== "" && isWellFormed(id) && until <= now ? id : undefined
}

/** Whether the entry, or the lease in it, says that the lease `id` ended without a value. */
export const saysEnded = (stored: StoredEntry | undefined, id: string, now: number): boolean => {
  const own = withoutEnded(id)
  const tombstone = endedWithoutValue(stored?.entry, now)
  if (tombstone !== undefined) return withoutEnded(tombstone) === own
  return stored?.entry?.lease?.id.endsWith(`${ended}${own}`) === true
}
