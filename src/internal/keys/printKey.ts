/**
 * Prints keys: readable, canonical and injective. Structurally equal arguments print alike, different ones print differently.
 *
 * Plain data prints as JSON with sorted property names. What JSON lacks prints as a text that is no JSON: `undefined`, `NaN`, `-0`,
 * `10n`, `Date(2020-01-01T00:00:00.000Z)`, `Map{"a":1}`, `Set{1,2}`, `10n`, `Date(2020-01-01T00:00:00.000Z)`, `Map{"a":1}`,
 * `Set{1,2}`, `Uint8Array(c0ffee)`, `Array(3){0:"a",2:"b"}` for an array with holes. The order of properties, and of entries of
 * with holes. The order of properties, and of entries of maps and sets, does not matter. An object without a prototype counts as a
 * plain one, and so does Effect's `Data.struct` (hence plain one, and so does Effect's `Data.struct` (hence `Data.tagged` and
 * `Data.taggedEnum`). Effect's `Option`, `Either`, `Chunk`, `HashMap`, `HashSet`, `Duration` and `HashMap`, `HashSet`, `Duration`
 * and `DateTime` print by their content. A `Date`, `Map`, `Set`, `ArrayBuffer` or `DataView` with properties of its own is refused.
 * Every other instance prints by its `PrimaryKey` and its `_tag`, or the name of its class if it has properties of its own is
 * refused. Every other instance prints by its `PrimaryKey` and its `_tag`, or the name of its class if it has none, or is refused.
 * has none, or is refused.
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

const invalid = (description: string, cause: unknown, name?: string) =>
  new CacheError({ reason: "InvalidKey", operation: "cacheKey", key: name, description, cause })

const invalidArgument = (description: string, cause: unknown, name?: string) =>
  invalid(`argument ${description}: use keyArgs`, cause, name)

const invalidKey = (description: string, cause?: unknown) =>
  new CacheError({ reason: "InvalidKey", operation: "key", description, cause })

type Invalid = typeof invalid

const printList = (values: ReadonlyArray<unknown>, refuse: Invalid, name?: string): string | CacheError => {
  let printed = ""
  for (let index = 0; index < values.length; index++) {
    const value = values[index]
    const part = printPrimitive(value) ?? printStructure(value)
    if (typeof part !== "string") {
      const place = part.path === "" ? `${index + 1}` : `${index + 1} at ${part.path}`
      const cause = part.cause === undefined ? undefined : withoutMessage(part.cause)
      return refuse(`${place} ${part.problem}`, cause, name)
    }
    printed = index === 0 ? part : `${printed},${part}`
  }
  return printed
}

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
 * The key of a call, from the parts of the option `key` and what `keyArgs` returned. An array prints as a list of arguments, any
 * other value as the only one. other value as the only one. An array of one element keeps its brackets, `city(["lisbon"])`, because
 * `city("lisbon")` is the key of that element itself. of that element itself.
 *
 * @since 0.1.0
 * @category printing
 */
export const printPicked = (
  escapedName: string,
  parts: ReadonlyArray<unknown>,
  picked: unknown
): string | CacheError => {
  const before = printList(parts, invalidArgument, escapedName)
  if (typeof before !== "string") return before
  const printed = printPrimitive(picked) ?? printStructure(picked)
  if (typeof printed !== "string") {
    const place = printed.path === "" ? "what keyArgs returned" : `what keyArgs returned at ${printed.path}`
    const cause = printed.cause === undefined ? undefined : withoutMessage(printed.cause)
    return invalid(`${place} ${printed.problem}`, cause, escapedName)
  }
  // An array with holes prints as `Array(3){…}`.
  const isList = Array.isArray(picked) && picked.length !== 1 && printed.startsWith("[")
  const list = isList ? printed.slice(1, -1) : printed
  return `${escapedName}(${before}${before === "" || list === "" ? "" : ","}${list})`
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
 * The key of a direct operation. A string prints as it is, unless it begins like an array key: `[x` prints as `'[x`. An array
 * prints prints as `["a",1]`. An empty string and an empty array are errors.
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
