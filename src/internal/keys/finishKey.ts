/**
 * From a printed key to the one that a store sees: `v3:shop:city("lisbon")`, 1 to 250 bytes of printable ASCII without
 * a space, and still a different one for every different key.
 *
 * @since 0.1.0
 */
import { createHash } from "node:crypto"
import { Either } from "effect"
import { CacheError } from "../../CacheError.js"
import { percentEscape } from "./percentEscape.js"

/** What memcached takes, and hence the promise to every store. */
const maxKeyBytes = 250

/** Leaves room for a readable part and the hash. */
const maxPrefixBytes = 100

const hashMark = "%~"

const maxHeadBytes = maxKeyBytes - hashMark.length - 64

/** Whether the text from `start` on is its own percent-escape. A loop beats a regular expression on keys this short. */
const isSafe = (text: string, start: number): boolean => {
  for (let index = start; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit <= 0x20 || unit >= 0x7f || unit === 0x25) return false
  }
  return true
}

/** Without the colon too, so that the parts of a key can be told apart by splitting at colons. */
const escapePart = (text: string): string => percentEscape(text).replaceAll(":", "%3A")

const shorten = (key: string): string => {
  // An escape is three characters: a `%` among the last two of the head has been cut.
  const head = key.slice(0, maxHeadBytes).replace(/%.?$/, "")
  return `${head}${hashMark}${createHash("sha256").update(key, "latin1").digest("hex")}`
}

const bounded = (key: string): string => (key.length > maxKeyBytes ? shorten(key) : key)

/**
 * What stands before every key of a layer: `v3:shop:`. Version and namespace are percent-escaped with their colons, so
 * the second of the parts between colons is always the whole escaped namespace.
 *
 * @since 0.1.0
 * @category finishing
 */
export const keyPrefix = (version: string | number, namespace: string): string =>
  `v${escapePart(`${version}`)}:${escapePart(namespace)}:`

const invalidOption = (description: string) =>
  Either.left(new CacheError({ reason: "InvalidOption", operation: "layer", description }))

/**
 * The prefix, or `InvalidOption` if it is over 100 bytes or the version is not a finite number.
 *
 * @since 0.1.0
 * @category finishing
 */
export const validatePrefix = (version: string | number, namespace: string): Either.Either<string, CacheError> => {
  if (typeof version === "number" && !Number.isFinite(version)) return invalidOption(`version is ${version}`)
  const prefix = keyPrefix(version, namespace)
  return prefix.length <= maxPrefixBytes
    ? Either.right(prefix)
    : invalidOption(
        `namespace and version take ${prefix.length} bytes of every key, more than ${maxPrefixBytes} (${prefix.slice(0, 60)}…)`
      )
}

/**
 * The key as the store sees it. `prefix` comes from `keyPrefix`, `printed` from `printKey` or `printCall`. Over 250 bytes
 * it keeps its readable beginning and ends in `%~` and the SHA-256 of the whole; `%~` is in no other key.
 *
 * @since 0.1.0
 * @category finishing
 */
export const finishKey = (prefix: string, printed: string): string => {
  // Joined before it is tested: the engine would have to do so anyway to look the key up.
  const key = prefix + printed
  return bounded(isSafe(key, prefix.length) ? key : prefix + percentEscape(printed))
}

/**
 * The key of a group's version record: `v3:shop:%group:cities`. No entry's key has `%g`. An empty name is `InvalidKey`.
 *
 * @since 0.1.0
 * @category finishing
 */
export const groupKey = (prefix: string, name: string): string | CacheError =>
  name === ""
    ? new CacheError({ reason: "InvalidKey", operation: "group", description: "a group's name is empty" })
    : bounded(`${prefix}%group:${percentEscape(name)}`)
