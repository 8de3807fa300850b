/** How large a value may be: both databases exchange it in hexadecimal, and a string of JavaScript ends at 512 MB. */
import type { ByteRecord } from "../../../ByteStore.js"
import { CacheError } from "../../../CacheError.js"

const maxBytes = 250 * 1024 * 1024

export const tooLarge = (operation: string, key: string, record: ByteRecord): CacheError | undefined =>
  record.bytes.byteLength <= maxBytes
    ? undefined
    : new CacheError({
        reason: "TooLarge",
        operation,
        key,
        description: `${record.bytes.byteLength} bytes are more than the ${maxBytes} that a value may have`
      })
