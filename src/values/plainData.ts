/**
 * Plain data as bytes: what is decoded equals what was encoded, or nothing is encoded.
 *
 * Plain data are the JSON types, `undefined`, `NaN`, the infinities, `-0`, bigints, and `Date`, `Map`, `Set`, `ArrayBuffer`,
 * `DataView`, `Buffer` and the typed arrays themselves (no subclass), nested up to 500 levels. Most values are JSON and are
 * kept as such, readable in the store; the others are kept in the structured clone format of `node:v8`. Cycles come
 * back as cycles. An object reached along several paths may come back as several equal objects. Whether a property was
 * frozen is not kept, and a typed array is its elements, whatever other properties were hung on it.
 *
 * @since 0.1.0
 */
import { Buffer } from "node:buffer"
import { DefaultDeserializer, serialize } from "node:v8"
import { Either } from "effect"
import { arrayShape } from "./arrayShape.js"
import { type PathStep, printPath } from "./valuePath.js"

/**
 * Why a value can't be stored: `path` is where (`value.items[3].price`), `problem` a sentence about what stands there.
 *
 * @since 0.1.0
 * @category models
 */
export interface EncodeRefusal {
  readonly path: string
  readonly problem: string
  readonly cause?: unknown
}

/**
 * The bytes were not written by `encodePlain`, or by that of a later version of this library or of Node.
 *
 * @since 0.1.0
 * @category models
 */
export interface DecodeFailure {
  readonly problem: string
  readonly cause?: unknown
}

/** The first byte of an encoded value tells its form. JSON text begins with none of these. */
const bytesMark = 0x01
const bufferMark = 0x02
const structuredMark = 0xff

/** `node:v8` fails to read from about 1500 levels on, or fewer when the stack is in use. */
const maxDepth = 500

/** An object that is reachable along many paths is written once for each in JSON, which can double at every level. */
const maxJsonParts = 1_000_000

/** Reset for every value; here and not a parameter because the walk is what encoding a small value costs. */
let jsonParts = 0

/**
 * Whether JSON gives back the same. `false` is no more than a doubt: `Examination` has the last word.
 */
const isJson = (value: unknown, depth: number): boolean => {
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
      if (property?.enumerable !== true || !isJson(property.value, depth + 1)) return false
    }
    return true
  }
  if (prototype !== Array.prototype || !Array.isArray(value)) return false
  jsonParts += value.length
  if (jsonParts > maxJsonParts || arrayShape(value) !== "dense") return false
  for (let index = 0; index < value.length; index++) {
    if (!isJson(value[index], depth + 1)) return false
  }
  return true
}

const viewPrototypes = new Set<unknown>(
  [
    DataView,
    Buffer,
    Uint8Array,
    Uint8ClampedArray,
    Int8Array,
    Uint16Array,
    Int16Array,
    Uint32Array,
    Int32Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array
  ].map((view) => view.prototype)
)

/** Thrown inside this file only. */
class Refusal {
  constructor(
    readonly path: ReadonlyArray<PathStep>,
    readonly problem: string
  ) {}
}

/**
 * Walks the whole value in the order in which `node:v8` does, and throws a `Refusal` at the first part that would not come
 * back equal.
 */
class Examination {
  /** Whether some part needs more than JSON. */
  structured = false
  private readonly path: Array<PathStep> = []
  private readonly seen = new Set<object>()

  examine(value: unknown): void {
    switch (typeof value) {
      case "string":
      case "boolean":
        return
      case "number":
        if (!Number.isFinite(value) || Object.is(value, -0)) this.structured = true
        return
      case "undefined":
      case "bigint":
        this.structured = true
        return
      case "function":
      case "symbol":
        throw this.refusal(`a ${typeof value} can't be stored`)
      case "object":
        if (value !== null) this.examineObject(value)
    }
  }

  private refusal(problem: string): Refusal {
    return new Refusal([...this.path], problem)
  }

  private examinePart(part: unknown, step: PathStep): void {
    this.path.push(step)
    this.examine(part)
    this.path.pop()
  }

  private examineObject(value: object): void {
    if (this.seen.has(value)) {
      this.structured = true
      return
    }
    if (this.path.length >= maxDepth) throw this.refusal(`more than ${maxDepth} levels of nesting can't be stored`)
    this.seen.add(value)
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype) this.examineProperties(value)
    else if (prototype === Array.prototype && Array.isArray(value)) this.examineArray(value)
    else this.examineInstance(value, prototype)
  }

  private examineInstance(value: object, prototype: unknown): void {
    this.structured = true
    if (viewPrototypes.has(prototype)) this.examineView(value)
    else if (prototype === Date.prototype) this.examineDate(value)
    else if (prototype === Map.prototype) this.examineMap(value)
    else if (prototype === Set.prototype) this.examineSet(value)
    else if (prototype === ArrayBuffer.prototype) this.examineArrayBuffer(value)
    else if (prototype === null) throw this.refusal("an object without a prototype can't be stored")
    else {
      const name: unknown = value.constructor?.name
      throw this.refusal(`an instance of ${typeof name === "string" && name !== "" ? name : "a class"} can't be stored`)
    }
  }

  private examineProperties(value: object): void {
    if (Object.getOwnPropertySymbols(value).length > 0)
      throw this.refusal("a symbol as a property name can't be stored")
    for (const name of Object.getOwnPropertyNames(value)) {
      this.examineProperty(value, name, name)
    }
  }

  private examineProperty(value: object, name: string, step: PathStep): void {
    const property = Object.getOwnPropertyDescriptor(value, name)
    this.path.push(step)
    if (property === undefined || !("value" in property)) throw this.refusal("a getter or setter can't be stored")
    if (!property.enumerable) throw this.refusal("a hidden (non-enumerable) property can't be stored")
    this.examine(property.value)
    this.path.pop()
  }

  private examineArray(array: ReadonlyArray<unknown>): void {
    const shape = arrayShape(array)
    if (shape === "extended") throw this.refusal("an array with properties of its own can't be stored")
    if (shape === "sparse") this.structured = true
    for (const name of Object.getOwnPropertyNames(array)) {
      if (name !== "length") this.examineProperty(array, name, Number(name))
    }
  }

  private examineNoProperties(value: object): void {
    if (Reflect.ownKeys(value).length > 0) {
      throw this.refusal(`a ${value.constructor.name} with properties of its own can't be stored`)
    }
  }

  private examineDate(value: object): void {
    // Throws if nothing but the prototype is a date's, as do the methods called below.
    Date.prototype.getTime.call(value as Date)
    this.examineNoProperties(value)
  }

  private examineMap(value: object): void {
    this.examineNoProperties(value)
    let position = 0
    Map.prototype.forEach.call(value, (part, key) => {
      this.examinePart(key, { part: `.key(${position})` })
      this.examinePart(
        part,
        typeof key === "string" ? { part: `.get(${JSON.stringify(key)})` } : { part: `.value(${position})` }
      )
      position++
    })
  }

  private examineSet(value: object): void {
    this.examineNoProperties(value)
    let position = 0
    Set.prototype.forEach.call(value, (item) => this.examinePart(item, { part: `.item(${position++})` }))
  }

  private examineView(value: object): void {
    if (!ArrayBuffer.isView(value)) throw this.refusal("an object with a typed array's prototype can't be stored")
    if (!(value.buffer instanceof ArrayBuffer)) throw this.refusal("shared memory can't be stored")
  }

  private examineArrayBuffer(value: object): void {
    this.examineNoProperties(value)
    ArrayBuffer.prototype.slice.call(value, 0, 0)
    if ("resizable" in value && value.resizable === true) throw this.refusal("a resizable ArrayBuffer can't be stored")
  }
}

const refusal = (path: ReadonlyArray<PathStep>, problem: string, cause?: unknown) =>
  Either.left<EncodeRefusal>({ path: `value${printPath(path)}`, problem, cause })

const encodeMarked = (mark: number, bytes: Uint8Array): Uint8Array => {
  const marked = Buffer.allocUnsafe(bytes.length + 1)
  marked[0] = mark
  marked.set(bytes, 1)
  return marked
}

const encode = (value: unknown): Uint8Array => {
  if (value instanceof Uint8Array && value.buffer instanceof ArrayBuffer) {
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Uint8Array.prototype) return encodeMarked(bytesMark, value)
    if (prototype === Buffer.prototype) return encodeMarked(bufferMark, value)
  }
  jsonParts = 0
  if (!isJson(value, 0)) {
    const examination = new Examination()
    examination.examine(value)
    if (examination.structured) return serialize(value)
  }
  return Buffer.from(JSON.stringify(value), "utf8")
}

/**
 * The value as bytes, or the first part of it that would not come back equal. The bytes may be a slice of Node's buffer
 * pool: who keeps them for long should copy them.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodePlain = (value: unknown): Either.Either<Uint8Array, EncodeRefusal> => {
  try {
    return Either.right(encode(value))
  } catch (thrown) {
    return thrown instanceof Refusal
      ? refusal(thrown.path, thrown.problem)
      : refusal(
          [],
          `can't be stored: ${thrown instanceof Error ? thrown.message : "it threw when it was read"}`,
          thrown
        )
  }
}

const copyBuffer = (bytes: Uint8Array): Buffer => {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  copy.set(bytes)
  return copy
}

// Documented as Node's hook for subclasses, but not declared by @types/node.
const { _readHostObject: readView } = DefaultDeserializer.prototype as unknown as {
  readonly _readHostObject: (this: DefaultDeserializer) => DataView | Uint8Array
}

/** What `node:v8` reads as a view of the input becomes a copy, so that no value holds on to the bytes it came from. */
class CopyingDeserializer extends DefaultDeserializer {
  _readHostObject(): ArrayBufferView {
    const view = readView.call(this)
    if (view instanceof Buffer) return copyBuffer(view)
    // A typed array's `slice` copies and keeps the type, whichever it is.
    if (!(view instanceof DataView)) return view.slice()
    return new DataView(new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice().buffer)
  }
}

const decode = (bytes: Uint8Array): unknown => {
  switch (bytes[0]) {
    case bytesMark:
      return new Uint8Array(bytes.subarray(1))
    case bufferMark:
      return copyBuffer(bytes.subarray(1))
    case structuredMark: {
      const deserializer = new CopyingDeserializer(bytes)
      deserializer.readHeader()
      return deserializer.readValue()
    }
    default: {
      const text = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      return JSON.parse(text.toString("utf8"))
    }
  }
}

/**
 * The value of which `encodePlain` made these bytes. It shares no memory with them.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decodePlain = (bytes: Uint8Array): Either.Either<unknown, DecodeFailure> => {
  try {
    return Either.right(decode(bytes))
  } catch (cause) {
    return Either.left({ problem: cause instanceof Error ? cause.message : "unreadable", cause })
  }
}
