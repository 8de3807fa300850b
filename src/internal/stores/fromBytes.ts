/** Makes a `Store` of a driver of bytes with a fused read. */
import { toStoredEntries } from "../records/entryCodec.js"
import { overBytes, toItems } from "../records/records.js"
import { nowMillis } from "../runtime/fiber.js"
import type { FusedByteStore, Store } from "./Store.js"

export const fromBytes = (driver: FusedByteStore): Store => ({
  ...overBytes(driver),
  local: undefined,
  joinsTransaction: driver.joinsTransaction,
  ...(driver.sameToken === undefined ? {} : { sameToken: driver.sameToken }),
  write: (fiber, items, onWritten, onFailure) =>
    driver.write(fiber, toItems(items, nowMillis(fiber)), onWritten, onFailure),
  read: (fiber, keys, onFound, onFailure) =>
    driver.read(fiber, keys, (found) => onFound(toStoredEntries(keys, found)), onFailure)
})
