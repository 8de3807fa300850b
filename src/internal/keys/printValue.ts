/**
 * Prints one value; `printKey.ts` describes how each kind of value prints.
 */
import { Data, PrimaryKey } from "effect"
import { arrayShape } from "../values/arrayShape.js"
import { type PathStep, printPath } from "../values/valuePath.js"
import { instancePrinter, isExtended } from "./instances.js"

/** Text that JSON does not escape: without a quote, a backslash, a control character or a surrogate. */
const needsNoEscape = /^[ !#-[\]-\ud7ff\ue000-\uffff]*$/

const printString = (text: string): string => (needsNoEscape.test(text) ? `"${text}"` : JSON.stringify(text))

/** `undefined` for a value that is no primitive, and for a symbol. */
export const printPrimitive = (value: unknown): string | undefined => {
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

/** Why a value can't be printed: `path` leads to the part (`.filter.fn`), `problem` says what it is (`is a function`). */
export interface PrintRefusal {
  readonly path: string
  readonly problem: string
  readonly cause?: unknown
}

/** More than any sensible key has, and far less than the stack allows. */
const maxDepth = 500

/** An object prints once for each path to it, and the number of paths can double at every level. */
const maxObjects = 100_000

const structPrototype: object = Object.getPrototypeOf(Data.struct({}))
const dataArrayPrototype: object = Object.getPrototypeOf(Data.array([]))

const hasPrimaryKey = (value: object): value is PrimaryKey.PrimaryKey => PrimaryKey.symbol in value

const isPlainObject = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

const classNameOf = (value: object): string => {
  const name: unknown = value.constructor?.name
  return typeof name === "string" ? name : ""
}

/**
 * What distinguishes two classes that use the same database ids: the tag, else the name of the class. Plain objects have neither.
 */
const printClass = (value: object): string => {
  if ("_tag" in value && typeof value._tag === "string") return `${printString(value._tag)},`
  if (isPlainObject(value)) return ""
  const name = classNameOf(value)
  if (name === "" || name === "Object")
    throw new Refusal("has a PrimaryKey, but neither a _tag nor a class with a name")
  return `class ${printString(name)},`
}

/** Thrown inside this file only. */
class Refusal {
  constructor(readonly problem: string) {}
}

class Printing {
  readonly path: Array<PathStep> = []
  private readonly ancestors: Array<object> = []
  private objects = 0

  printOther(value: unknown): string {
    if (typeof value === "function") throw new Refusal("is a function")
    if (typeof value !== "object" || value === null) throw new Refusal("is a symbol")
    if (this.ancestors.includes(value)) throw new Refusal("refers back to an object that contains it")
    if (this.ancestors.length === maxDepth) throw new Refusal(`is nested more than ${maxDepth} levels deep`)
    if (++this.objects > maxObjects) throw new Refusal(`comes after more than ${maxObjects} objects`)
    this.ancestors.push(value)
    const printed = this.printObject(value)
    this.ancestors.pop()
    return printed
  }

  private printPart(part: unknown, step: PathStep): string {
    const primitive = printPrimitive(part)
    if (primitive !== undefined) return primitive
    this.path.push(step)
    const printed = this.printOther(part)
    this.path.pop()
    return printed
  }

  private printObject(value: object): string {
    if (isPlainObject(value)) return this.printPlainObject(value)
    const prototype: object = Object.getPrototypeOf(value)
    if (hasPrimaryKey(value)) return this.printPrimaryKey(value)
    if (Array.isArray(value) && (prototype === Array.prototype || prototype === dataArrayPrototype)) {
      return this.printArray(value)
    }
    if (prototype === structPrototype) return this.printProperties(value)
    const printInstance = instancePrinter(prototype)
    if (printInstance !== undefined) {
      if (isExtended(value, prototype)) throw new Refusal("is an instance with properties of its own")
      return printInstance(value, (part, step) => this.printPart(part, step))
    }
    throw new Refusal(`is an instance of ${classNameOf(value) || "a class"} without a PrimaryKey`)
  }

  private printPrimaryKey(value: PrimaryKey.PrimaryKey): string {
    const primaryKey: unknown = PrimaryKey.value(value)
    if (typeof primaryKey !== "string") throw new Refusal("has a PrimaryKey that is not a string")
    return `PrimaryKey(${printClass(value)}${printString(primaryKey)})`
  }

  private printPlainObject(value: object): string {
    if (Object.getOwnPropertySymbols(value).length === 0) return this.printProperties(value)
    if (hasPrimaryKey(value)) return this.printPrimaryKey(value)
    throw new Refusal("has a symbol for a property name")
  }

  /** All properties, also those that are not enumerable. */
  private printProperties(value: object): string {
    let printed = ""
    for (const name of Object.getOwnPropertyNames(value).sort()) {
      // The object itself has just listed this name.
      const part = this.printPart((value as Record<string, unknown>)[name], name)
      printed = printed === "" ? `${printString(name)}:${part}` : `${printed},${printString(name)}:${part}`
    }
    return `{${printed}}`
  }

  private printArray(array: ReadonlyArray<unknown>): string {
    switch (arrayShape(array)) {
      case "dense": {
        let printed = ""
        for (let index = 0; index < array.length; index++) {
          const part = this.printPart(array[index], index)
          printed = index === 0 ? part : `${printed},${part}`
        }
        return `[${printed}]`
      }
      case "sparse": {
        // Object.keys skips the holes: an array may have four thousand million.
        const elements = Object.keys(array).map((index) => `${index}:${this.printPart(array[+index], +index)}`)
        return `Array(${array.length}){${elements.join(",")}}`
      }
      case "extended":
        throw new Refusal("is an array with properties of its own")
    }
  }
}

/** Prints a value that is no primitive, or says why it can't. */
export const printStructure = (value: unknown): string | PrintRefusal => {
  const printing = new Printing()
  try {
    return printing.printOther(value)
  } catch (thrown) {
    const path = printPath(printing.path)
    // A getter, a proxy or a PrimaryKey of the caller threw, or the caller had used up most of the stack.
    return thrown instanceof Refusal
      ? { path, problem: thrown.problem }
      : { path, problem: "threw when it was read", cause: thrown }
  }
}
