/**
 * Prints keys: readable, canonical and injective. Structurally equal arguments print alike, different ones print differently.
 *
 * Plain data prints as JSON with sorted property names. What JSON lacks prints as a text that is no JSON: `undefined`, `NaN`, `-0`, `10n`, `Date(2020-01-01T00:00:00.000Z)`, `Map{"a":1}`, `Set{1,2}`,
 * `Uint8Array(c0ffee)`, `Array(3){0:"a",2:"b"}` for an array with holes. The order of properties, and of entries of
 * maps and sets, does not matter. An object without a prototype counts as a plain one, and so does Effect's `Data.struct` (hence
 * `Data.tagged` and `Data.taggedEnum`). Effect's `Option`, `Either`, `Chunk`, `HashMap`, `HashSet`, `Duration` and
 * `DateTime` print by their content. Every other instance prints by its `PrimaryKey` (and `_tag`, if it has one), or is
 * refused.
 *
 * All functions here return the key, or a `CacheError` with the reason `InvalidKey`.
 *
 * @since 0.1.0
 */
import { CacheError } from "../../CacheError.js"
import { arrayShape } from "../values/arrayShape.js"
import { withoutMessage } from "../values/withoutMessage.js"
import { printPrimitive, printStructure } from "./printValue.js"

/**
 * The key of a direct operation: a string, or an array of plain values (one element at least).
 *
 * @since 0.1.0
 * @category models
 */
export type Key = string | ReadonlyArray<unknown>

const invalidArgument = (description: string, cause: unknown, name?: string) =>
  new CacheError({
    reason: "InvalidKey",
    operation: "cacheKey",
    key: name,
    description: `argument ${description}: use keyArgs`,
    cause
  })

const invalidKey = (description: string, cause?: unknown) =>
  new CacheError({ reason: "InvalidKey", operation: "key", description, cause })

type Invalid = (description: string, cause: unknown, name?: string) => CacheError

const printList = (values: ReadonlyArray<unknown>, invalid: Invalid, name?: string): string | CacheError => {
  let printed = ""
  for (let index = 0; index < values.length; index++) {
    const value = values[index]
    const part = printPrimitive(value) ?? printStructure(value)
    if (typeof part !== "string") {
      const place = part.path === "" ? `${index + 1}` : `${index + 1} at ${part.path}`
      const cause = part.cause === undefined ? undefined : withoutMessage(part.cause)
      return invalid(`${place} ${part.problem}`, cause, name)
    }
    printed = index === 0 ? part : `${printed},${part}`
  }
  return printed
}

/**
 * The arguments, comma-joined: `"lisbon",{"page":2}`. An error names the argument and the path inside it.
 *
 * @since 0.1.0
 * @category printing
 */
export const printArguments = (args: ReadonlyArray<unknown>): string | CacheError => printList(args, invalidArgument)

const specialInName = /[%(]|^\[/

const escapeSpecial = (special: string): string => (special === "%" ? "%25" : special === "(" ? "%28" : "%5B")

/**
 * The name of a memoized function or effect as a part of its keys: without a `(`, with which the arguments begin, and without a `[`
 * at its beginning, with which an array key begins. It is the whole key of a memoized effect.
 *
 * @since 0.1.0
 * @category printing
 */
export const escapeName = (name: string): string =>
  specialInName.test(name) ? name.replace(/[%(]|^\[/g, escapeSpecial) : name

/**
 * The key of a call, from a name that `escapeName` returned: `city("lisbon",{"page":2})`. An error names the argument
 * and the path inside it.
 *
 * @since 0.1.0
 * @category printing
 */
export const printEscapedCall = (escapedName: string, args: ReadonlyArray<unknown>): string | CacheError => {
  const printed = printList(args, invalidArgument, escapedName)
  return typeof printed === "string" ? `${escapedName}(${printed})` : printed
}

/**
 * The key of a call: `city("lisbon",{"page":2})`. An error names the argument and the path inside it.
 *
 * @since 0.1.0
 * @category printing
 */
export const printCall = (name: string, args: ReadonlyArray<unknown>): string | CacheError =>
  printEscapedCall(escapeName(name), args)

const looksLikeArrayKey = /^'*\[/

const invalidElement: Invalid = (description, cause) => invalidKey(`element ${description}`, cause)

/**
 * The key of a direct operation. A string prints as it is, unless it begins like an array key: `[x` prints as `'[x`. An array prints
 * as `["a",1]`. An empty string and an empty array are errors.
 *
 * @since 0.1.0
 * @category printing
 */
export const printKey = (key: Key): string | CacheError => {
  if (typeof key === "string") {
    if (key === "") return invalidKey("the key is an empty string")
    return looksLikeArrayKey.test(key) ? `'${key}` : key
  }
  if (key.length === 0) return invalidKey("the key is an empty array")
  if (arrayShape(key) !== "dense") return invalidKey("the key is an array with holes or properties of its own")
  const printed = printList(key, invalidElement)
  return typeof printed === "string" ? `[${printed}]` : printed
}
