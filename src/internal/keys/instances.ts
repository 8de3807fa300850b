/**
 * How instances print whose identity is their content: those of JavaScript's and of Effect's data types. They are recognised by
 * their exact prototype, so a subclass, which may mean anything, is not.
 */
import { Buffer } from "node:buffer"
import { Chunk, DateTime, Duration, Either, HashMap, HashSet, Option } from "effect"
import type { PathStep } from "../values/valuePath.js"

/** Prints something inside the instance. */
export type PrintPart = (part: unknown, step: PathStep) => string

type PrintInstance<A> = (instance: A, print: PrintPart) => string

const printers = new Map<object, PrintInstance<unknown>>()

const spell = <A>(prototypes: ReadonlyArray<object>, print: PrintInstance<A>) => {
  for (const prototype of prototypes) {
    // The Map's key is the prototype of A, so only an A reaches this printer.
    printers.set(prototype, print as PrintInstance<unknown>)
  }
}

const prototypeOf = (example: object): object => Object.getPrototypeOf(example)

const hex = (view: ArrayBufferView): string =>
  Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString("hex")

// Equal maps and sets may have been filled in any order, so their parts are sorted as printed.
const printEntries = (name: string, entries: Iterable<readonly [unknown, unknown]>, print: PrintPart): string => {
  const printed: Array<string> = []
  for (const [key, value] of entries) {
    const position = printed.length
    const printedKey = print(key, { part: `.key(${position})` })
    printed.push(`${printedKey}:${print(value, { part: `.value(${position})` })}`)
  }
  return `${name}{${printed.sort().join(",")}}`
}

const printItems = (items: Iterable<unknown>, print: PrintPart): Array<string> => {
  const printed: Array<string> = []
  for (const item of items) printed.push(print(item, { part: `.item(${printed.length})` }))
  return printed
}

spell<Date>([Date.prototype], (date) => `Date(${Number.isNaN(date.getTime()) ? "invalid" : date.toISOString()})`)

spell<Map<unknown, unknown>>([Map.prototype], (map, print) => printEntries("Map", map, print))

spell<Set<unknown>>([Set.prototype], (set, print) => `Set{${printItems(set, print).sort().join(",")}}`)

spell<ArrayBuffer>([ArrayBuffer.prototype], (buffer) => `ArrayBuffer(${hex(new Uint8Array(buffer))})`)

spell<DataView>([DataView.prototype], (view) => `DataView(${hex(view)})`)

spell<Buffer>([Buffer.prototype], (buffer) => `Buffer(${hex(buffer)})`)

for (const bytes of [Uint8Array, Uint8ClampedArray]) {
  spell<Uint8Array>([bytes.prototype], (array) => `${bytes.name}(${hex(array)})`)
}

for (const numbers of [
  Int8Array,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array
]) {
  spell<Iterable<unknown>>(
    [numbers.prototype],
    (array, print) => `${numbers.name}(${printItems(array, print).join(",")})`
  )
}

spell<Option.Option<unknown>>([prototypeOf(Option.none()), prototypeOf(Option.some(0))], (option, print) =>
  Option.isNone(option) ? "None" : `Some(${print(option.value, "value")})`
)

spell<Either.Either<unknown, unknown>>([prototypeOf(Either.right(0)), prototypeOf(Either.left(0))], (either, print) =>
  Either.isRight(either) ? `Right(${print(either.right, "right")})` : `Left(${print(either.left, "left")})`
)

spell<Chunk.Chunk<unknown>>(
  [prototypeOf(Chunk.empty())],
  (chunk, print) => `Chunk[${printItems(chunk, print).join(",")}]`
)

spell<HashMap.HashMap<unknown, unknown>>([prototypeOf(HashMap.empty())], (map, print) =>
  printEntries("HashMap", map, print)
)

spell<HashSet.HashSet<unknown>>(
  [prototypeOf(HashSet.empty())],
  (set, print) => `HashSet{${printItems(set, print).sort().join(",")}}`
)

spell<Duration.Duration>(
  [prototypeOf(Duration.zero)],
  (duration) => `Duration(${Duration.isFinite(duration) ? `${Duration.unsafeToNanos(duration)}ns` : "Infinity"})`
)

spell<DateTime.DateTime>(
  [prototypeOf(DateTime.unsafeMake(0)), prototypeOf(DateTime.unsafeMakeZoned(0, { timeZone: 0 }))],
  (time) =>
    `DateTime(${DateTime.formatIso(time)}${DateTime.isZoned(time) ? `@${DateTime.zoneToString(time.zone)}` : ""})`
)

const haveNoProperties = new Set<object>([
  Date.prototype,
  Map.prototype,
  Set.prototype,
  ArrayBuffer.prototype,
  DataView.prototype
])

/**
 * Whether somebody has given the instance a property, which its printer does not see. Those of a typed array are too many to list.
 */
export const isExtended = (instance: object, prototype: object): boolean =>
  haveNoProperties.has(prototype) && Reflect.ownKeys(instance).length > 0

/** The printer for instances of this prototype; `undefined` if their identity is more than their content. */
export const instancePrinter = (prototype: object): PrintInstance<unknown> | undefined => printers.get(prototype)
