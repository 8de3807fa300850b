/** A fast check for values that JSON can store, which most are. */
import { arrayShape } from "./arrayShape.js"
import { maxDepth } from "./examine.js"

/** JSON writes an object once for each path to it, and the number of paths can double at every level. */
const maxJsonParts = 1_000_000

/**
 * Reset for every value. A variable of the module and no parameter, because this walk takes most of the time of encoding a small
 * value.
 */
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
      // `index` is below the length, so there is a name.
      const property = Object.getOwnPropertyDescriptor(value, names[index] as string)
      // The `value` of an accessor is `undefined`, which is no JSON either.
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
 * Whether the value comes back equal from JSON. `true` is certain; after `false`, `examine` decides.
 */
export const isJson = (value: unknown): boolean => {
  jsonParts = 0
  return isJsonAt(value, 0)
}
