/** Estimates what an entry takes in the heap. */
import type { Entry } from "../../../CacheStore.js"
import { approximateBytes } from "./approximateBytes.js"

/** About what an entry without its key, groups and payload takes, in bytes. */
export const entryBytes = 150
/** About what a group of an entry takes, without its name. */
const groupBytes = 70

/** About what the entry takes, the versions of its groups included. Throws where a property of the value does. */
export const bytesOf = (key: string, { groups, value }: Entry): number => {
  let bytes = entryBytes + key.length + approximateBytes(value?.payload)
  for (const group of groups) bytes += groupBytes + group.key.length
  return bytes
}
