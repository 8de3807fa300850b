/** How large a value may be, and how much goes into one statement. */
import { Effect } from "effect"
import type { ByteItem, ByteRecord } from "../../../ByteStore.js"
import { CacheError } from "../../../CacheError.js"
import type { RejectedItem } from "../../../CacheStore.js"

/** Both databases exchange values in hexadecimal, and a string of JavaScript ends at 512 MB. */
export const maxBytes = 250 * 1024 * 1024

const tooLarge = (operation: string, key: string, { bytes: { byteLength } }: ByteRecord): CacheError | undefined =>
  byteLength <= maxBytes
    ? undefined
    : new CacheError({
        reason: "TooLarge",
        operation,
        key,
        description: `${byteLength} bytes are more than the ${maxBytes} that a value may have`
      })

export const unlessTooLarge = <A>(
  operation: string,
  key: string,
  record: ByteRecord,
  store: () => Effect.Effect<A, CacheError>
): Effect.Effect<A, CacheError> => {
  const error = tooLarge(operation, key, record)
  return error === undefined ? store() : Effect.fail(error)
}

/** Writes the items that are not too large. Gives those that were not written, with the reason. */
export const withoutTooLarge = (
  items: ReadonlyArray<ByteItem>,
  write: (accepted: ReadonlyArray<ByteItem>) => Effect.Effect<ReadonlyArray<RejectedItem>, CacheError>
): Effect.Effect<ReadonlyArray<RejectedItem>, CacheError> => {
  const rejected: Array<RejectedItem> = []
  const accepted = items.filter(({ key, record }) => {
    const error = tooLarge("write", key, record)
    if (error !== undefined) rejected.push({ key, error })
    return error === undefined
  })
  if (accepted.length === 0) return Effect.succeed(rejected)
  if (rejected.length === 0) return write(items)
  return Effect.map(write(accepted), (others) => [...rejected, ...others])
}

/** Parts of at most `most.items` items and `most.bytes` bytes. An item that is larger is a part of its own. */
export const split = (
  items: ReadonlyArray<ByteItem>,
  most: { readonly items: number; readonly bytes: number }
): ReadonlyArray<ReadonlyArray<ByteItem>> => {
  const parts: Array<Array<ByteItem>> = []
  let bytes = 0
  for (const item of items) {
    const part = parts.at(-1)
    bytes += item.record.bytes.byteLength
    if (part !== undefined && part.length < most.items && bytes <= most.bytes) part.push(item)
    else {
      parts.push([item])
      bytes = item.record.bytes.byteLength
    }
  }
  return parts
}
