/**
 * Turns a printed key into the key that a store sees: `v3:shop:city("lisbon")`. It has 1 to 250 bytes of printable ASCII without a
 * space; a longer one is shortened. Different keys stay different.
 *
 * @since 0.1.0
 */
import { Buffer } from "node:buffer"
import { createHash } from "node:crypto"
import { Either } from "effect"
import { CacheError } from "../../CacheError.js"
import { percentEscape, percentUnescape } from "./percentEscape.js"

/** The limit of memcached, and so the promise to every store. */
const maxKeyBytes = 250

/** Leaves room for a readable head and the hash. */
const maxPrefixBytes = 100

const hashMark = "%~"

const maxHeadBytes = maxKeyBytes - hashMark.length - 64

/** Whether the text from `start` on needs no escape. On keys this short a loop is faster than a regular expression. */
const isSafe = (text: string, start: number): boolean => {
  for (let index = start; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit <= 0x20 || unit >= 0x7f || unit === 0x25) return false
  }
  return true
}

/** Escapes the colon too, so that splitting at colons gives the parts of a key. */
const escapePart = (text: string): string => percentEscape(text).replaceAll(":", "%3A")

/** The readable head of the key, `%~`, and the SHA-256 of the whole key. */
const shorten = (key: string): string => {
  const bytes = Buffer.from(key, "latin1")
  // From the bytes: a slice of the text would keep the whole text in memory, for as long as the store has the entry.
  // An escape has three characters: a `%` among the last two of the head is a cut escape.
  const head = bytes.toString("latin1", 0, maxHeadBytes).replace(/%.?$/, "")
  return `${head}${hashMark}${createHash("sha256").update(bytes).digest("hex")}`
}

const bounded = (key: string): string => (key.length > maxKeyBytes ? shorten(key) : key)

/**
 * The beginning of every key of a layer: `v3:shop:`. Version and namespace are percent-escaped, colons included, so the second part
 * between colons is always the whole namespace.
 *
 * @since 0.1.0
 * @category finishing
 */
export const keyPrefix = (version: string | number, namespace: string): string =>
  `v${escapePart(`${version}`)}:${escapePart(namespace)}:`

const invalidOption = (description: string) =>
  Either.left(new CacheError({ reason: "InvalidOption", operation: "layer", description }))

/**
 * The prefix, or `InvalidOption` if it has more than 100 bytes or the version is a number that is not finite.
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
 * The key as the store sees it. `prefix` comes from `keyPrefix`, `printed` from `printKey` or `printCall`. A key of more than 250
 * bytes becomes its readable head, `%~` and the SHA-256 of the whole key. No other key contains `%~`.
 *
 * @since 0.1.0
 * @category finishing
 */
export const finishKey = (prefix: string, printed: string): string => {
  // Joined first: V8 must flatten the joined text anyway when the key is looked up. A text that is not flat would keep its parts in
  // memory, and these the larger texts that they were cut out of.
  const key = prefix + printed
  return bounded(isSafe(key, prefix.length) ? key : prefix + percentEscape(printed))
}

/**
 * The key of a group's version: `v3:shop:%group:cities`. No other key contains `%g`. An empty name is `InvalidKey`.
 *
 * @since 0.1.0
 * @category finishing
 */
export const groupKey = (prefix: string, name: string): string | CacheError =>
  name === ""
    ? new CacheError({ reason: "InvalidKey", operation: "group", description: "the name of the group is empty" })
    : finishKey(`${prefix}${groupMark}`, name)

/** The name in the key of a group. One that was too long for a key stays shortened: its readable head, `%~` and a hash. */
export const groupName = (prefix: string, key: string): string => {
  const name = key.slice(prefix.length + groupMark.length)
  return name.includes(hashMark) ? name : percentUnescape(name)
}

/** Stands in the key of every group, and in no other key. */
export const groupMark = "%group:"

export const isGroupKey = (key: string): boolean => key.includes(groupMark)
