/** Makes a `Store` of a driver of bytes with a fused read. */
import { overBytes, toStoredEntry } from "../records/records.js"
import type { FusedByteStore, Store } from "./Store.js"

export const fromBytes = (driver: FusedByteStore): Store => ({
  ...overBytes(driver),
  local: undefined,
  read: (fiber, keys, onFound, onFailure) =>
    driver.read(fiber, keys, (found) => onFound(found.map(toStoredEntry)), onFailure)
})
