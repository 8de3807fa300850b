/**
 * When two arguments are the same key, said a second time and without any printing.
 *
 * Primitives by `Object.is`. Plain objects (with `Object.prototype`, without any prototype, or made by `Data.struct`) by
 * their properties, in any order; a property that is `undefined` is not one that is missing. Arrays by length, elements
 * and holes. Maps and sets by their entries, in any order. Dates by time. Views and buffers by kind and bytes. Options by
 * their content. All else is not equal.
 */
import { Data, Option } from "effect"

const structPrototype = Object.getPrototypeOf(Data.struct({}))

const kindOf = (value: object): unknown => {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === null || prototype === structPrototype) return Object.prototype
  return Option.isOption(value) ? "Option" : prototype
}

const bytesOf = (value: ArrayBuffer | ArrayBufferView): ReadonlyArray<number> =>
  value instanceof ArrayBuffer
    ? [...new Uint8Array(value)]
    : [...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)]

const sameInAnyOrder = (left: ReadonlyArray<unknown>, right: ReadonlyArray<unknown>): boolean => {
  const rest = [...right]
  for (const item of left) {
    const index = rest.findIndex((other) => structurallyEqual(item, other))
    if (index === -1) return false
    rest.splice(index, 1)
  }
  return rest.length === 0
}

const sameProperties = (left: object, right: object): boolean => {
  const names = Object.keys(left)
  return (
    names.length === Object.keys(right).length &&
    names.every(
      (name) => Object.hasOwn(right, name) && structurallyEqual(Reflect.get(left, name), Reflect.get(right, name))
    )
  )
}

export const structurallyEqual = (left: unknown, right: unknown): boolean => {
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) {
    return Object.is(left, right)
  }
  if (kindOf(left) !== kindOf(right)) return false
  if (Array.isArray(left) && Array.isArray(right)) return left.length === right.length && sameProperties(left, right)
  if (left instanceof Map && right instanceof Map) return sameInAnyOrder([...left], [...right])
  if (left instanceof Set && right instanceof Set) return sameInAnyOrder([...left], [...right])
  if (left instanceof Date && right instanceof Date) return Object.is(left.getTime(), right.getTime())
  if (Option.isOption(left) && Option.isOption(right)) {
    return structurallyEqual(Option.toArray(left), Option.toArray(right))
  }
  if (left instanceof ArrayBuffer || ArrayBuffer.isView(left)) {
    return (right instanceof ArrayBuffer || ArrayBuffer.isView(right)) && `${bytesOf(left)}` === `${bytesOf(right)}`
  }
  return sameProperties(left, right)
}
