/**
 * Values that can be stored, and values with one part that can't.
 */
import * as fc from "fast-check"

const scalar = fc.oneof(
  fc.string({ unit: "binary", maxLength: 8 }),
  fc.double(),
  fc.integer(),
  fc.bigInt(),
  fc.constantFrom<unknown>(
    true,
    false,
    null,
    undefined,
    -0,
    Number.NaN,
    Number.NEGATIVE_INFINITY,
    "\ud800",
    "$",
    "$Map"
  )
)

const bytes = fc.uint8Array({ maxLength: 16 })

const view = fc.oneof(
  bytes,
  bytes.map((content) => Buffer.from(content)),
  bytes.map((content) => content.slice().buffer),
  bytes.map((content) => new DataView(content.slice().buffer, Math.min(1, content.length))),
  // At an odd offset of a larger memory, where a copy can't just take all of it.
  bytes.map((content) => new Uint8Array([9, ...content, 9]).subarray(1, content.length + 1)),
  fc.uint8ClampedArray({ maxLength: 4 }),
  fc.int8Array({ maxLength: 4 }),
  fc.uint16Array({ maxLength: 4 }),
  fc.int16Array({ maxLength: 4 }),
  fc.uint32Array({ maxLength: 4 }),
  fc.int32Array({ maxLength: 4 }),
  fc.float32Array({ maxLength: 4 }),
  fc.float64Array({ maxLength: 4 }),
  fc.bigInt64Array({ maxLength: 4 }),
  fc.bigUint64Array({ maxLength: 4 })
)

const name = fc.oneof(
  fc.string({ maxLength: 3 }),
  fc.constantFrom("__proto__", "toJSON", "constructor", "1", "length", "é")
)

const withProperties = (entries: ReadonlyArray<readonly [string, unknown]>): object => {
  const target = {}
  for (const [key, value] of entries) {
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
  }
  return target
}

const holed = (elements: ReadonlyArray<unknown>, hole: number): ReadonlyArray<unknown> => {
  const array = [...elements]
  delete array[hole]
  return array
}

const nested = (leaf: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.letrec<{ readonly value: unknown }>((tie) => {
    const values = fc.array(tie("value"), { maxLength: 4 })
    return {
      value: fc.oneof(
        { maxDepth: 4, depthIdentifier: "data" },
        { weight: 3, arbitrary: leaf },
        { weight: 2, arbitrary: values },
        { weight: 2, arbitrary: fc.array(fc.tuple(name, tie("value")), { maxLength: 4 }).map(withProperties) },
        { weight: 1, arbitrary: fc.tuple(values, fc.nat(4)).map(([elements, hole]) => holed(elements, hole)) },
        { weight: 1, arbitrary: values.map((items) => new Set(items)) },
        {
          weight: 1,
          arbitrary: fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 3 }).map((as) => new Map(as))
        }
      )
    }
  }).value

// Node 20 holds no invalid date equal to another, so those are not here.
export const plainData: fc.Arbitrary<unknown> = nested(
  fc.oneof(
    { weight: 6, arbitrary: scalar },
    { weight: 1, arbitrary: fc.date({ noInvalidDate: true }) },
    { weight: 1, arbitrary: view }
  )
)

export const jsonData: fc.Arbitrary<unknown> = fc.jsonValue({ maxDepth: 4 }).filter((value) => !hasNegativeZero(value))

const hasNegativeZero = (value: unknown): boolean =>
  Object.is(value, -0) || (typeof value === "object" && value !== null && Object.values(value).some(hasNegativeZero))

class Point {
  constructor(readonly x: number) {}
}

class Rows extends Array {}

/** Each kind of thing that would not come back equal, made anew. */
export const unstorable: ReadonlyArray<readonly [string, () => unknown]> = [
  ["is a function", () => () => 1],
  ["is a function", () => Point],
  ["is a symbol", () => Symbol("s")],
  ["is an instance of Point", () => new Point(1)],
  ["is an instance of Rows", () => Rows.from([1])],
  ["is an instance of a class", () => new (class extends Map {})()],
  ["is an instance of a class", () => new (class extends Date {})()],
  ["is an instance of a class", () => new (class extends Uint8Array {})(1)],
  ["is an instance of TypeError", () => new TypeError("x")],
  ["is an instance of RegExp", () => /x/],
  ["is an instance of Number", () => Object(1)],
  ["is an instance of String", () => Object("x")],
  ["is an instance of Boolean", () => Object(true)],
  ["is an instance of BigInt", () => Object(1n)],
  ["is an instance of WeakMap", () => new WeakMap()],
  ["is an instance of Promise", () => Promise.resolve()],
  ["is an instance of SharedArrayBuffer", () => new SharedArrayBuffer(1)],
  ["is shared memory", () => new Uint8Array(new SharedArrayBuffer(1))],
  ["is shared memory", () => Buffer.from(new SharedArrayBuffer(1))],
  ["is an object without a prototype", () => Object.create(null)],
  ["is an instance of Object", () => Object.create({ inherited: 1 })],
  ["is an object with a symbol for a property name", () => ({ [Symbol.iterator]: 1 })],
  ["is a hidden (non-enumerable) property", () => Object.defineProperty({}, "hidden", { value: 1 })],
  [
    "is a getter or setter",
    () => ({
      get a() {
        return 1
      }
    })
  ],
  ["is a getter or setter", () => ({ set a(_: number) {} })],
  ["is a getter or setter", () => Object.defineProperty([undefined], 0, { get: () => 1n, enumerable: true })],
  ["is an array with properties of its own", () => "xay".match(/a/)],
  ["is an array with properties of its own", () => Object.assign(new Array(1), { hole: 1 })],
  ["is an array with properties of its own", () => Object.assign([1], { [Symbol.iterator]: 1 })],
  ["is an instance with properties of its own", () => Object.assign(new Map(), { a: 1 })],
  ["is an instance with properties of its own", () => Object.assign(new Set(), { a: 1 })],
  ["is an instance with properties of its own", () => Object.assign(new Date(), { a: 1 })],
  ["is an instance with properties of its own", () => Object.assign(new ArrayBuffer(1), { a: 1 })],
  ["is an instance with properties of its own", () => Object.assign(new DataView(new ArrayBuffer(1)), { a: 1 })],
  ["is a resizable ArrayBuffer", () => Reflect.construct(ArrayBuffer, [1, { maxByteLength: 8 }])],
  ["threw when it was read", () => Object.create(Map.prototype)],
  ["threw when it was read", () => Object.create(Date.prototype)],
  ["is an object with the prototype of a typed array", () => Object.create(Uint8Array.prototype)],
  ["is a proxy", () => new Proxy({ a: 1n }, {})]
]

/** Data with one or more unstorable things in it. */
export const poisonedData: fc.Arbitrary<unknown> = fc
  .tuple(
    plainData,
    fc.constantFrom(...unstorable).map(([, make]) => make()),
    fc.array(fc.constantFrom("object", "array", "key", "value", "item", "last"), { maxLength: 4 })
  )
  .map(([neighbour, poison, wrappings]) =>
    wrappings.reduce((inner: unknown, wrapping) => wrap(inner, wrapping, neighbour), poison)
  )

const wrap = (inner: unknown, wrapping: string, neighbour: unknown): unknown => {
  switch (wrapping) {
    case "object":
      return { neighbour, inner }
    case "array":
      return [inner, neighbour]
    case "key":
      return new Map([[inner, neighbour]])
    case "value":
      return new Map([[neighbour, inner]])
    case "item":
      return new Set([neighbour, inner])
    default:
      return [neighbour, inner]
  }
}
