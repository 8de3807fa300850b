/** A driver of this library whose read is fused, as the engine sees stores. */
import { overBytes, toStoredEntry } from "./entryBytes.js"
import type { FusedByteStore, Store } from "./Store.js"

export const fromBytes = (driver: FusedByteStore): Store => ({
  ...overBytes(driver),
  local: undefined,
  remote: {
    read: (fiber, keys, onFound, onFailure) =>
      driver.read(fiber, keys, (found) => onFound(found.map(toStoredEntry)), onFailure)
  }
})
