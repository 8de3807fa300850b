/**
 * Arguments out of few and easily confused parts, so that equal and nearly equal ones are common.
 */
import { Data, Option } from "effect"
import * as fc from "fast-check"

const confusable = fc.constantFrom<unknown>(
  ...[
    "",
    "a",
    "b",
    "1",
    "0",
    "-0",
    "10n",
    "NaN",
    "null",
    "true",
    "undefined",
    "[",
    "]",
    "{}",
    '"',
    "\\",
    ",",
    ":",
    "(",
    ")"
  ],
  ...[
    '"a","b"',
    '{"a":1}',
    "Date(invalid)",
    "None",
    "\u0000",
    "\ud800",
    "\\ud800",
    "\udc00",
    "\ud800\udc00",
    "é",
    "e\u0301"
  ],
  ...[0, -0, 1, -1, 10, 0.1, 1e21, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  ...[0n, 1n, 10n, -1n, true, false, null, undefined]
)

const date = fc.constantFrom(0, 1, Number.NaN, 1e12).map((time) => new Date(time))

const bytes = fc.array(fc.constantFrom(0, 1, 192, 255), { maxLength: 8 }).map((numbers) => Uint8Array.from(numbers))

const view = fc.tuple(bytes, fc.nat(10)).map(([content, kind]) => {
  const buffer = content.slice().buffer
  switch (kind) {
    case 0:
      return buffer
    case 1:
      return Buffer.from(content)
    case 2:
      return new DataView(buffer)
    case 3:
      return new Uint8ClampedArray(buffer)
    case 4:
      return new Int8Array(buffer)
    case 5:
      return new Uint16Array(buffer.slice(0, content.length & ~1))
    case 6:
      return new Int32Array(buffer.slice(0, content.length & ~3))
    case 7:
      return new BigInt64Array(buffer.slice(0, content.length & ~7))
    case 8:
      return new BigUint64Array(buffer.slice(0, content.length & ~7))
    case 9:
      return new Float64Array([...content])
    default:
      return content
  }
})

const name = fc.constantFrom("a", "b", "1", "", "__proto__", 'a":1,"b', "é", "\ud800")

const holed = (elements: ReadonlyArray<unknown>, hole: number): ReadonlyArray<unknown> => {
  const array = [...elements]
  delete array[hole]
  return array
}

const withProperties = (target: object, entries: ReadonlyArray<readonly [string, unknown]>): object => {
  for (const [key, value] of entries) {
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
  }
  return target
}

const { value } = fc.letrec<{ readonly value: unknown }>((tie) => {
  const values = fc.array(tie("value"), { maxLength: 3 })
  const properties = fc.array(fc.tuple(name, tie("value")), { maxLength: 3 })
  return {
    value: fc.oneof(
      { maxDepth: 3, depthIdentifier: "argument" },
      { weight: 5, arbitrary: confusable },
      { weight: 1, arbitrary: date },
      { weight: 1, arbitrary: view },
      { weight: 2, arbitrary: values },
      { weight: 1, arbitrary: fc.tuple(values, fc.nat(3)).map(([elements, hole]) => holed(elements, hole)) },
      { weight: 2, arbitrary: properties.map((entries) => withProperties({}, entries)) },
      { weight: 1, arbitrary: properties.map((entries) => withProperties(Object.create(null), entries)) },
      { weight: 1, arbitrary: fc.dictionary(fc.constantFrom("a", "b"), tie("value")).map((as) => Data.struct(as)) },
      {
        weight: 1,
        arbitrary: fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 3 }).map((as) => new Map(as))
      },
      { weight: 1, arbitrary: values.map((items) => new Set(items)) },
      { weight: 1, arbitrary: fc.option(tie("value"), { nil: undefined }).map(Option.fromNullable) }
    )
  }
})

export const argument: fc.Arbitrary<unknown> = value

export const argumentList: fc.Arbitrary<ReadonlyArray<unknown>> = fc.array(value, { maxLength: 3 })

/** An equal value, rebuilt with the parts of whatever has no order in reverse. */
export const rebuilt = (original: unknown): unknown => {
  if (typeof original !== "object" || original === null) return original
  if (Array.isArray(original)) {
    const copy: Array<unknown> = new Array(original.length)
    for (const index of Object.keys(original)) copy[Number(index)] = rebuilt(original[Number(index)])
    return copy
  }
  if (original instanceof Map) {
    return new Map([...original].reverse().map(([key, part]) => [rebuilt(key), rebuilt(part)] as const))
  }
  if (original instanceof Set) return new Set([...original].reverse().map(rebuilt))
  if (Option.isOption(original)) return Option.map(original, rebuilt)
  const prototype: unknown = Object.getPrototypeOf(original)
  if (prototype !== null && prototype !== Object.prototype) return original
  const entries = Object.entries(original).reverse()
  return withProperties(
    prototype === null ? {} : Object.create(null),
    entries.map(([key, part]) => [key, rebuilt(part)] as const)
  )
}

/** The value with one part somewhere inside replaced by another. */
export const replacedAt = (original: unknown, where: ReadonlyArray<number>, replacement: unknown): unknown => {
  const [step, ...further] = where
  if (step === undefined || typeof original !== "object" || original === null) return replacement
  if (Array.isArray(original) && original.length > 0) {
    const copy = original.slice()
    const index = step % original.length
    copy[index] = replacedAt(original[index], further, replacement)
    return copy
  }
  if (original instanceof Map && original.size > 0) {
    const entries = [...original]
    const index = step % entries.length
    return new Map(
      entries.map(([key, part], at) => [key, at === index ? replacedAt(part, further, replacement) : part] as const)
    )
  }
  const prototype: unknown = Object.getPrototypeOf(original)
  const names = Object.keys(original)
  if ((prototype !== null && prototype !== Object.prototype) || names.length === 0) return replacement
  const changed = names[step % names.length]
  return withProperties(
    {},
    names.map((key) => {
      const part: unknown = Reflect.get(original, key)
      return [key, key === changed ? replacedAt(part, further, replacement) : part] as const
    })
  )
}
