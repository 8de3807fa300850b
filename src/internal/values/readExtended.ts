/**
 * Reads extended JSON, which `writeExtended.ts` describes. The bytes may come from anybody: each length is compared with the bytes
 * that are there before anything is made of it, and what is made is no more than a small multiple of them.
 */
import { maxDepth } from "./examine.js"
import { viewNamed } from "./views.js"
import { textLengthSize } from "./writeExtended.js"

/** Thrown inside this folder only: `decodePlain` catches all. */
const malformed = (what: string) => new SyntaxError(`malformed extended JSON: ${what}`)

const dollar = 0x24

const isWhole = (value: unknown, most: number): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= most

const longestArray = 2 ** 32 - 1

/** An array of this length without an element. */
const holes = (length: number, elements: number): Array<unknown> => {
  if (length <= 4 * elements + 16) return new Array(length)
  // V8 would allocate a slot for each hole. An element that far away makes it keep the array as a dictionary.
  const array: Array<unknown> = []
  array[longestArray - 1] = undefined
  delete array[longestArray - 1]
  array.length = length
  return array
}

const readBigInt = (digits: string): bigint =>
  digits.startsWith("-") ? -BigInt(`0x${digits.slice(1)}`) : BigInt(`0x${digits}`)

const readDate = (millis: string): Date => {
  const date = new Date(Number(millis))
  if (Number.isNaN(date.getTime()) && millis !== "NaN") throw malformed("no time")
  return date
}

const scalars = new Map<string, unknown>([
  ["$undefined", undefined],
  ["$NaN", Number.NaN],
  ["$Infinity", Number.POSITIVE_INFINITY],
  ["$-Infinity", Number.NEGATIVE_INFINITY],
  ["$-0", -0]
])

/** One walk over parsed JSON, in the order of the writer. It changes objects and arrays in place. */
class Reader {
  private readonly objects: Array<object> = []
  private viewsRead = 0

  constructor(private readonly views: Uint8Array) {}

  /** Whether the views took all bytes after the text. */
  get isComplete(): boolean {
    return this.viewsRead === this.views.length
  }

  read(json: unknown, depth: number): unknown {
    if (typeof json === "string") return json.charCodeAt(0) === dollar ? this.readEscape(json) : json
    if (typeof json !== "object" || json === null) return json
    if (depth === maxDepth) throw malformed("nested too deeply")
    return Array.isArray(json) ? this.readArray(json, depth + 1) : this.readProperties(json, depth + 1)
  }

  private keep<Made extends object>(object: Made): Made {
    this.objects.push(object)
    return object
  }

  private readEscape(text: string): unknown {
    switch (text[1]) {
      case "$":
        return text.slice(1)
      case "d":
        return this.keep(readDate(text.slice(2)))
      case "n":
        return readBigInt(text.slice(2))
      case "r": {
        const object = this.objects[Number(text.slice(2))]
        if (object === undefined) throw malformed("no such object")
        return object
      }
      default:
        if (!scalars.has(text)) throw malformed("an unknown escape")
        return scalars.get(text)
    }
  }

  private readProperties(object: object, depth: number): object {
    this.keep(object)
    // JSON.parse made its properties, among them an own `__proto__` if there is one: an assignment changes just that.
    const properties = object as Record<string, unknown>
    for (const name of Object.keys(object)) {
      const json = properties[name]
      const value = this.read(json, depth)
      if (value !== json) properties[name] = value
    }
    return object
  }

  private readArray(array: Array<unknown>, depth: number): object {
    const head = array[0]
    if (typeof head === "string" && head.charCodeAt(0) === dollar) {
      switch (head) {
        case "$Map":
          return this.readMap(array, depth)
        case "$Set":
          return this.readSet(array, depth)
        case "$Sparse":
          return this.readSparse(array, depth)
      }
      const view = this.readView(head, array)
      if (view !== undefined) return view
    }
    this.keep(array)
    for (let index = 0; index < array.length; index++) {
      const json = array[index]
      const value = this.read(json, depth)
      if (value !== json) array[index] = value
    }
    return array
  }

  private readMap(parts: ReadonlyArray<unknown>, depth: number): object {
    if (parts.length % 2 === 0) throw malformed("a key without a value")
    const map = this.keep(new Map())
    for (let index = 1; index < parts.length; index += 2) {
      const key = this.read(parts[index], depth)
      map.set(key, this.read(parts[index + 1], depth))
    }
    return map
  }

  private readSet(parts: ReadonlyArray<unknown>, depth: number): object {
    const set = this.keep(new Set())
    for (let index = 1; index < parts.length; index++) set.add(this.read(parts[index], depth))
    return set
  }

  private readSparse(parts: ReadonlyArray<unknown>, depth: number): object {
    const length = parts[1]
    if (parts.length % 2 !== 0 || !isWhole(length, longestArray)) throw malformed("no length")
    const array = this.keep(holes(length, parts.length / 2 - 1))
    for (let index = 2; index < parts.length; index += 2) {
      const at = parts[index]
      if (!isWhole(at, length - 1)) throw malformed("an index beyond the length")
      array[at] = this.read(parts[index + 1], depth)
    }
    return array
  }

  private readView(head: string, parts: ReadonlyArray<unknown>): object | undefined {
    const kind = viewNamed(head.slice(1))
    if (kind === undefined) return undefined
    const size = parts[1]
    const left = this.views.length - this.viewsRead
    if (parts.length !== 2 || !isWhole(size, left) || size % kind.elementSize !== 0) throw malformed("no such bytes")
    const start = this.viewsRead
    this.viewsRead += size
    return this.keep(kind.make(this.views.subarray(start, this.viewsRead)))
  }
}

/** Reads what follows the mark. Throws on bytes that `writeExtended` did not write. */
export const readExtended = (bytes: Buffer): unknown => {
  if (bytes.length < textLengthSize) throw malformed("cut off")
  const textEnd = textLengthSize + bytes.readUInt32LE(0)
  if (textEnd > bytes.length) throw malformed("cut off")
  const reader = new Reader(bytes.subarray(textEnd))
  const value = reader.read(JSON.parse(bytes.toString("utf8", textLengthSize, textEnd)), 0)
  if (!reader.isComplete) throw malformed("bytes that belong to nothing")
  return value
}
