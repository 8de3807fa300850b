/**
 * Extended JSON: JSON in which strings that begin with `$` stand for what JSON lacks. `readExtended.ts` reads it.
 *
 * ```text
 * "$undefined" "$NaN" "$Infinity" "$-Infinity" "$-0"    these values
 * "$$text"                       the string "$text"
 * "$n-ff"                        a bigint, hexadecimal
 * "$d1709210096789"              a Date, in milliseconds
 * "$r3"                          the object number 3 once more: objects are numbered from 0 in the order in which they begin
 * ["$Map", key, value, …]        a Map
 * ["$Set", item, …]              a Set
 * ["$Sparse", length, index, element, …]   an array with holes
 * ["$Float64Array", 16]          a view or an ArrayBuffer: the next 16 of the bytes that follow the text
 * ```
 *
 * The encoded value is the length of the text in 4 bytes, the text in UTF-8, and the bytes of all views, in their order.
 */
import { Buffer } from "node:buffer"
import { arrayShape } from "./arrayShape.js"
import { viewIn } from "./views.js"

export const textLengthSize = 4

/** One walk over a value that `examine` accepted. What needs no escape is not copied. */
class Writer {
  readonly views: Array<Uint8Array> = []
  private readonly numbers = new Map<object, number>()

  /** @param hasShared whether an object may be met twice */
  constructor(private readonly hasShared: boolean) {}

  /** What `JSON.stringify` has to print. */
  write(value: unknown): unknown {
    switch (typeof value) {
      case "string":
        return value.startsWith("$") ? `$${value}` : value
      case "number":
        if (Number.isFinite(value)) return Object.is(value, -0) ? "$-0" : value
        return `$${value}`
      case "undefined":
        return "$undefined"
      case "bigint":
        return `$n${value.toString(16)}`
      case "object":
        return value === null ? null : this.writeObject(value)
      default:
        return value
    }
  }

  private writeObject(value: object): unknown {
    if (this.hasShared) {
      const number = this.numbers.get(value)
      if (number !== undefined) return `$r${number}`
      this.numbers.set(value, this.numbers.size)
    }
    if (Array.isArray(value)) return arrayShape(value) === "dense" ? this.writeArray(value) : this.writeSparse(value)
    if (Object.getPrototypeOf(value) === Object.prototype) return this.writeProperties(value)
    if (value instanceof Date) return `$d${value.getTime()}`
    if (value instanceof Map) return this.writeMap(value)
    if (value instanceof Set) return ["$Set", ...this.writeArray([...value])]
    return this.writeView(value)
  }

  private writeArray(array: ReadonlyArray<unknown>): ReadonlyArray<unknown> {
    let copy: Array<unknown> | undefined
    for (let index = 0; index < array.length; index++) {
      const element = array[index]
      const written = this.write(element)
      if (written === element) continue
      copy ??= [...array]
      copy[index] = written
    }
    return copy ?? array
  }

  private writeProperties(object: object): object {
    // `examine` accepted no other keys than these names.
    const properties = object as Readonly<Record<string, unknown>>
    let copy: Record<string, unknown> | undefined
    for (const name of Object.keys(properties)) {
      const property = properties[name]
      const written = this.write(property)
      if (written === property) continue
      // The copy has a `__proto__` of its own where the object has one, so this assignment never sets a prototype.
      copy ??= { ...properties }
      copy[name] = written
    }
    return copy ?? object
  }

  private writeSparse(array: ReadonlyArray<unknown>): ReadonlyArray<unknown> {
    const parts: Array<unknown> = ["$Sparse", array.length]
    // Not all indices: there may be four billion holes.
    for (const index of Object.keys(array)) parts.push(Number(index), this.write(array[Number(index)]))
    return parts
  }

  private writeMap(map: ReadonlyMap<unknown, unknown>): ReadonlyArray<unknown> {
    const parts: Array<unknown> = ["$Map"]
    for (const [key, value] of map) parts.push(this.write(key), this.write(value))
    return parts
  }

  private writeView(value: object): ReadonlyArray<unknown> {
    const view = viewIn(value)
    if (view === undefined) throw new TypeError("an object of an unknown kind")
    this.views.push(view.bytes)
    return [`$${view.name}`, view.bytes.length]
  }
}

/**
 * @param mark the first byte
 * @param hasShared whether an object in the value is met twice
 */
export const writeExtended = (mark: number, value: unknown, hasShared: boolean): Uint8Array => {
  const writer = new Writer(hasShared)
  const text = JSON.stringify(writer.write(value))
  const textSize = Buffer.byteLength(text, "utf8")
  const textStart = 1 + textLengthSize
  let size = textStart + textSize
  for (const view of writer.views) size += view.length
  const encoded = Buffer.allocUnsafe(size)
  encoded[0] = mark
  encoded.writeUInt32LE(textSize, 1)
  encoded.write(text, textStart, "utf8")
  let at = textStart + textSize
  for (const view of writer.views) {
    encoded.set(view, at)
    at += view.length
  }
  return encoded
}
