/**
 * The versions of groups. A group is one entry in the store, whose value is a random version. An entry counts only while its
 * groups have the versions that they had before it was computed, so one write invalidates a group. A version that the store has
 * lost is created anew at random, so no entry made under the old one counts again. `CapturedVersions.ts` says how long one lives.
 */
import { randomBytes } from "node:crypto"
import type { Entry, GroupVersion, StoredEntry } from "../../CacheStore.js"
import { isText, maxTextLength } from "../records/texts.js"
import type { Found } from "../stores/Store.js"
import { valueEntry } from "./entryState.js"

export const noVersions: ReadonlyArray<GroupVersion> = []

// Not Effect's Random: two processes with the same seed must not create the same version.
export const newVersion = (): string => randomBytes(9).toString("base64url")

/**
 * The entry of a group.
 *
 * @param until when the version ends, in milliseconds on the Clock
 */
export const versionEntry = (version: string, payloads: "references" | "bytes", until: number): Entry =>
  valueEntry(
    {
      payload: payloads === "bytes" ? Buffer.from(version, "latin1") : version,
      freshUntil: until,
      staleUntil: until,
      computeMillis: 0
    },
    noVersions
  )

/**
 * The version in a group's entry; `undefined` also for what is no version, so that it is overwritten. The store decides when it
 * ends, not the reader's clock: a version that is still there was not invalidated.
 */
export const versionIn = (stored: StoredEntry | undefined): string | undefined => {
  const payload = stored?.entry?.value?.payload
  if (typeof payload === "string") return payload
  if (!(payload instanceof Uint8Array) || payload.length === 0 || payload.length > maxTextLength) return undefined
  const version = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString("latin1")
  return isText(version) ? version : undefined
}

/** The versions of the groups, whose entries are in `found` from `offset` on; `undefined` when one is missing. */
export const versionsIn = (
  groups: ReadonlyArray<string>,
  found: Found<StoredEntry>,
  offset: number
): ReadonlyArray<GroupVersion> | undefined => {
  if (groups.length === 0) return noVersions
  const versions: Array<GroupVersion> = []
  for (let index = 0; index < groups.length; index++) {
    const key = groups[index]
    const version = versionIn(found[index + offset])
    if (key === undefined || version === undefined) return undefined
    versions.push({ key, version })
  }
  return versions
}
