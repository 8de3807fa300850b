import { arrayShape } from "./arrayShape.js"

/** What `JSON.stringify` and the stack take with ease. */
const maxDepth = 500

/** An object that is reachable along many paths is written once for each in JSON, which can double at every level. */
const maxJsonParts = 1_000_000

/** Reset for every value; here and not a parameter because the walk is what encoding a small value costs. */
let jsonParts = 0

const isJsonAt = (value: unknown, depth: number): boolean => {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0)
    case "object":
      break
    default:
      return false
  }
  if (value === null) return true
  if (depth === maxDepth) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype) {
    const names = Object.getOwnPropertyNames(value)
    jsonParts += names.length
    if (jsonParts > maxJsonParts || Object.getOwnPropertySymbols(value).length > 0) return false
    for (let index = 0; index < names.length; index++) {
      // An index below the length of a dense array.
      const property = Object.getOwnPropertyDescriptor(value, names[index] as string)
      // An accessor has no `value`, which reads as `undefined`: no JSON either.
      if (property?.enumerable !== true || !isJsonAt(property.value, depth + 1)) return false
    }
    return true
  }
  if (prototype !== Array.prototype || !Array.isArray(value)) return false
  jsonParts += value.length
  if (jsonParts > maxJsonParts || arrayShape(value) !== "dense") return false
  for (let index = 0; index < value.length; index++) {
    if (!isJsonAt(value[index], depth + 1)) return false
  }
  return true
}

/**
 * Whether the value comes back equal from JSON. Made to be fast on what is JSON; `false` is no more than a doubt, and
 * `examine` has the last word.
 */
export const isJson = (value: unknown): boolean => {
  jsonParts = 0
  return isJsonAt(value, 0)
}
