/**
 * The readable, canonical and injective spelling of a key: structurally equal arguments print alike, different ones
 * print differently.
 *
 * Plain data prints as JSON with sorted property names; what JSON lacks has a spelling of its own that no JSON text can
 * be taken for: `undefined`, `NaN`, `-0`, `10n`, `Date(2020-01-01T00:00:00.000Z)`, `Map{"a":1}`, `Set{1,2}`,
 * `Uint8Array(c0ffee)`. Maps and sets compare without regard to order, as do property names. An object without a
 * prototype counts as a plain one, and so does Effect's `Data.struct` (hence `Data.tagged`, `Data.taggedEnum`). `Option`,
 * `Either`, `Chunk`, `HashMap`, `HashSet`, `Duration` and `DateTime` print by their content. Every other instance prints
 * by its `PrimaryKey`, or is refused.
 *
 * @since 0.1.0
 */
import { Data, PrimaryKey } from "effect"
import { CacheError } from "../CacheError.js"
import { arrayShape } from "../values/arrayShape.js"
import { type PathStep, printPath } from "../values/valuePath.js"
import { instancePrinter } from "./instances.js"

/**
 * The key of a direct operation: a string, or an array of plain values (one element at least).
 *
 * @since 0.1.0
 * @category models
 */
export type Key = string | ReadonlyArray<unknown>

/** Everything but a quote, a backslash, a control character and a surrogate: what JSON puts between quotes as it is. */
const needsNoEscape = /^[ !#-[\]-\ud7ff\ue000-\uffff]*$/

const printString = (text: string): string => (needsNoEscape.test(text) ? `"${text}"` : JSON.stringify(text))

/** Leaves everything that is not a primitive with a spelling to `Printing`. */
const printPrimitive = (value: unknown): string | undefined => {
  switch (typeof value) {
    case "string":
      return printString(value)
    case "number":
      return value === 0 && 1 / value < 0 ? "-0" : `${value}`
    case "boolean":
      return value ? "true" : "false"
    case "bigint":
      return `${value}n`
    case "undefined":
      return "undefined"
    default:
      return value === null ? "null" : undefined
  }
}

const structPrototype: object = Object.getPrototypeOf(Data.struct({}))
const dataArrayPrototype: object = Object.getPrototypeOf(Data.array([]))

const isPlainPrototype = (prototype: object | null): boolean =>
  prototype === Object.prototype || prototype === null || prototype === structPrototype

const hasPrimaryKey = (value: object): value is PrimaryKey.PrimaryKey => PrimaryKey.symbol in value

/** Far above any sensible key, far below where the stack ends. */
const maxDepth = 500

/** An object that is reachable along many paths prints once for each, which can double at every level. */
const maxObjects = 1_000_000

/** Thrown inside this file only. */
class Refusal {
  constructor(
    readonly path: ReadonlyArray<PathStep>,
    readonly problem: string
  ) {}
}

class Printing {
  private readonly path: Array<PathStep> = []
  private readonly ancestors: Array<object> = []
  private objects = 0

  print = (value: unknown): string => printPrimitive(value) ?? this.printOther(value)

  private printPart = (part: unknown, step: PathStep): string => {
    const primitive = printPrimitive(part)
    if (primitive !== undefined) return primitive
    this.path.push(step)
    const printed = this.printOther(part)
    this.path.pop()
    return printed
  }

  private refusal(problem: string): Refusal {
    return new Refusal([...this.path], problem)
  }

  private printOther(value: unknown): string {
    if (typeof value === "function") throw this.refusal("is a function")
    if (typeof value !== "object" || value === null) throw this.refusal("is a symbol")
    if (this.ancestors.includes(value)) throw this.refusal("refers back to an object that contains it")
    if (this.ancestors.length === maxDepth) throw this.refusal(`is nested more than ${maxDepth} levels deep`)
    if (++this.objects > maxObjects) throw this.refusal(`comes after more than ${maxObjects} objects`)
    this.ancestors.push(value)
    const printed = this.printObject(value)
    this.ancestors.pop()
    return printed
  }

  private printObject(value: object): string {
    if (hasPrimaryKey(value)) return this.printPrimaryKey(value)
    const prototype: object | null = Object.getPrototypeOf(value)
    if (isPlainPrototype(prototype)) return this.printPlainObject(value, prototype === structPrototype)
    if (Array.isArray(value) && (prototype === Array.prototype || prototype === dataArrayPrototype)) {
      return this.printArray(value)
    }
    const printInstance = prototype === null ? undefined : instancePrinter(prototype)
    if (printInstance === undefined) {
      const name: unknown = value.constructor?.name
      throw this.refusal(`is an instance of ${typeof name === "string" && name !== "" ? name : "a class"}`)
    }
    return printInstance(value, this.printPart)
  }

  private printPrimaryKey(value: PrimaryKey.PrimaryKey): string {
    const primaryKey: unknown = PrimaryKey.value(value)
    if (typeof primaryKey !== "string") throw this.refusal("has a PrimaryKey that is not a string")
    // Two classes may both take their database id for a primary key.
    return "_tag" in value && typeof value._tag === "string"
      ? `PrimaryKey(${printString(value._tag)},${printString(primaryKey)})`
      : `PrimaryKey(${printString(primaryKey)})`
  }

  private printPlainObject(value: object, isData: boolean): string {
    // Effect remembers the hash of a Data value under a hidden symbol.
    if (!isData && Object.getOwnPropertySymbols(value).length > 0)
      throw this.refusal("has a symbol for a property name")
    let printed = "{"
    for (const name of Object.getOwnPropertyNames(value).sort()) {
      if (printed.length > 1) printed += ","
      // Reading a property by a name that the object itself has just listed.
      printed += `${printString(name)}:${this.printPart((value as Record<string, unknown>)[name], name)}`
    }
    return `${printed}}`
  }

  private printArray(array: ReadonlyArray<unknown>): string {
    switch (arrayShape(array)) {
      case "dense": {
        let printed = "["
        for (let index = 0; index < array.length; index++) {
          if (index > 0) printed += ","
          printed += this.printPart(array[index], index)
        }
        return `${printed}]`
      }
      case "sparse": {
        // Object.keys skips the holes, of which there can be four thousand million.
        const elements = Object.keys(array).map((index) => `${index}:${this.printPart(array[+index], +index)}`)
        return `Array(${array.length}){${elements.join(",")}}`
      }
      case "extended":
        throw this.refusal("is an array with properties of its own")
    }
  }
}

interface Wording {
  readonly operation: string
  readonly key: string | undefined
  /** What the printed values are to the caller. */
  readonly part: "argument" | "element"
  readonly hint: string
}

const invalidKey = (wording: Wording, description: string, cause?: unknown) =>
  new CacheError({ reason: "InvalidKey", operation: wording.operation, key: wording.key, description, cause })

/** Slow path: the value is not a primitive. */
const printStructure = (value: unknown, position: number, wording: () => Wording): string | CacheError => {
  try {
    return new Printing().print(value)
  } catch (thrown) {
    const { hint, part } = wording()
    const place = `${part} ${position + 1}`
    if (thrown instanceof Refusal) {
      const path = printPath(thrown.path)
      const where = path === "" ? place : `${place} at ${path}`
      return invalidKey(wording(), `${where} ${thrown.problem}${hint}`)
    }
    // A getter, a proxy or a PrimaryKey of the caller's threw, or the stack was almost used up when we came.
    return invalidKey(wording(), `${place} threw when it was read${hint}`, thrown)
  }
}

const printList = (values: ReadonlyArray<unknown>, wording: () => Wording): string | CacheError => {
  let printed = ""
  for (let index = 0; index < values.length; index++) {
    const value = values[index]
    const one = printPrimitive(value) ?? printStructure(value, index, wording)
    if (typeof one !== "string") return one
    printed = index === 0 ? one : `${printed},${one}`
  }
  return printed
}

const argumentWording = (name?: string) => (): Wording => ({
  operation: "cacheKey",
  key: name,
  part: "argument",
  hint: ": use keyArgs"
})

const keyWording = (): Wording => ({ operation: "key", key: undefined, part: "element", hint: "" })

/**
 * The arguments, comma-joined: `"lisbon",{"page":2}`. A `CacheError` (`InvalidKey`) that names the argument and the path
 * inside it when one has no stable spelling; as an error is an Effect that fails, it can be returned where an Effect is
 * wanted.
 *
 * @since 0.1.0
 * @category printing
 */
export const printArguments = (args: ReadonlyArray<unknown>): string | CacheError => printList(args, argumentWording())

const specialInName = /[%(]|^\[/g

const escapeCharacter = (character: string): string => (character === "%" ? "%25" : character === "(" ? "%28" : "%5B")

/**
 * The name of a cached function or Effect as it stands in keys: without a `(`, so that the arguments' start is plain, and
 * without a `[` in front, which is how an array key begins. It is the whole key of a cached Effect.
 *
 * @since 0.1.0
 * @category printing
 */
export const escapeName = (name: string): string => name.replace(specialInName, escapeCharacter)

/**
 * The key of a call, from a name that `escapeName` returned: `city("lisbon",{"page":2})`. The same error as
 * `printArguments`.
 *
 * @since 0.1.0
 * @category printing
 */
export const printEscapedCall = (escapedName: string, args: ReadonlyArray<unknown>): string | CacheError => {
  const printed = printList(args, argumentWording(escapedName))
  return typeof printed === "string" ? `${escapedName}(${printed})` : printed
}

/**
 * The key of a call: `city("lisbon",{"page":2})`. The same error as `printArguments`.
 *
 * @since 0.1.0
 * @category printing
 */
export const printCall = (name: string, args: ReadonlyArray<unknown>): string | CacheError =>
  printEscapedCall(escapeName(name), args)

const looksLikeArrayKey = /^'*\[/

/**
 * The key of a direct operation. A string is its own spelling, but for one that begins like an array's: `[x` prints as
 * `'[x`. An array prints as `["a",1]`. `CacheError` (`InvalidKey`) for an empty string, an empty array, or an element
 * without a stable spelling.
 *
 * @since 0.1.0
 * @category printing
 */
export const printKey = (key: Key): string | CacheError => {
  if (typeof key === "string") {
    if (key === "") return invalidKey(keyWording(), "the key is an empty string")
    return looksLikeArrayKey.test(key) ? `'${key}` : key
  }
  if (key.length === 0) return invalidKey(keyWording(), "the key is an empty array")
  if (arrayShape(key) !== "dense") return invalidKey(keyWording(), "the key is an array with holes or extra properties")
  const printed = printList(key, keyWording)
  return typeof printed === "string" ? `[${printed}]` : printed
}
