/**
 * Decides whether a value can be stored, and finds the path to the first part that can't: `value.items[3].price`. `isJson.ts`
 * spares most values this slower walk.
 */
import { types } from "node:util"
import { arrayShape } from "./arrayShape.js"
import { type PathStep, printPath } from "./valuePath.js"
import { isViewPrototype } from "./views.js"

/**
 * Why a value can't be stored: `path` leads to the part (`value.items[3].price`), `problem` says what it is (`is a function, which
 * can't be stored`).
 *
 * @since 0.1.0
 * @category models
 */
export interface EncodeRefusal {
  readonly path: string
  readonly problem: string
  readonly cause?: unknown
}

/** How many levels a value may have, on the way in and out: a walk over more may need more stack than is left. */
export const maxDepth = 500

/** Thrown inside this file only. */
class Refusal {
  constructor(readonly what: string) {}
}

/** One walk over a value. */
class Examination {
  /** Whether some part needs more than JSON. */
  extended = false
  /** Whether an object was met twice. */
  shared = false
  readonly path: Array<PathStep> = []
  private readonly seen = new Set<object>()

  examine(value: unknown): void {
    switch (typeof value) {
      case "string":
      case "boolean":
        return
      case "number":
        if (!Number.isFinite(value) || Object.is(value, -0)) this.extended = true
        return
      case "undefined":
      case "bigint":
        this.extended = true
        return
      case "function":
      case "symbol":
        throw new Refusal(`a ${typeof value}`)
      case "object":
        if (value !== null) this.examineObject(value)
    }
  }

  private examinePart(part: unknown, step: PathStep): void {
    this.path.push(step)
    this.examine(part)
    this.path.pop()
  }

  private examineObject(value: object): void {
    if (this.seen.has(value)) {
      this.shared = true
      return
    }
    if (this.path.length >= maxDepth) throw new Refusal(`nested more than ${maxDepth} levels deep`)
    this.seen.add(value)
    if (types.isProxy(value)) throw new Refusal("a proxy")
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype) this.examineProperties(value)
    else if (prototype === Array.prototype && Array.isArray(value)) this.examineArray(value)
    else this.examineInstance(value, prototype)
  }

  private examineProperties(value: object): void {
    if (Object.getOwnPropertySymbols(value).length > 0) throw new Refusal("an object with a symbol for a property name")
    for (const name of Object.getOwnPropertyNames(value)) this.examineProperty(value, name, name)
  }

  private examineArray(array: ReadonlyArray<unknown>): void {
    const shape = arrayShape(array)
    if (shape === "extended") throw new Refusal("an array with properties of its own")
    if (shape === "sparse") this.extended = true
    for (const name of Object.getOwnPropertyNames(array)) {
      if (name !== "length") this.examineProperty(array, name, Number(name))
    }
  }

  private examineProperty(value: object, name: string, step: PathStep): void {
    this.path.push(step)
    const property = Object.getOwnPropertyDescriptor(value, name)
    if (property === undefined || !("value" in property)) throw new Refusal("a getter or setter")
    if (!property.enumerable) throw new Refusal("a hidden (non-enumerable) property")
    this.examine(property.value)
    this.path.pop()
  }

  private examineInstance(value: object, prototype: unknown): void {
    this.extended = true
    if (isViewPrototype(prototype)) this.examineView(value)
    else if (prototype === Date.prototype) this.examineDate(value)
    else if (prototype === Map.prototype) this.examineMap(value)
    else if (prototype === Set.prototype) this.examineSet(value)
    else if (prototype === ArrayBuffer.prototype) this.examineArrayBuffer(value)
    else if (prototype === null) throw new Refusal("an object without a prototype")
    else {
      const name: unknown = value.constructor?.name
      throw new Refusal(`an instance of ${typeof name === "string" && name !== "" ? name : "a class"}`)
    }
  }

  /** Does not look for extra properties on a typed array: listing its names would take longer than storing it. */
  private examineView(value: object): void {
    if (!ArrayBuffer.isView(value)) throw new Refusal("an object with the prototype of a typed array")
    if (!(value.buffer instanceof ArrayBuffer)) throw new Refusal("shared memory")
    // Throws if the memory was transferred to another thread. A view of no bytes takes none.
    new Uint8Array(value.buffer, 0, 0)
    if (value instanceof DataView) this.refuseOwnProperties(value)
  }

  private examineDate(value: object): void {
    // Throws if the value has only the prototype of a Date. The methods called below do the same for theirs.
    Date.prototype.getTime.call(value as Date)
    this.refuseOwnProperties(value)
  }

  private examineMap(value: object): void {
    let position = 0
    Map.prototype.forEach.call(value, (part, key) => {
      this.examinePart(key, { part: `.key(${position})` })
      this.examinePart(part, { part: typeof key === "string" ? `.get(${JSON.stringify(key)})` : `.value(${position})` })
      position++
    })
    this.refuseOwnProperties(value)
  }

  private examineSet(value: object): void {
    let position = 0
    Set.prototype.forEach.call(value, (item) => this.examinePart(item, { part: `.item(${position++})` }))
    this.refuseOwnProperties(value)
  }

  private examineArrayBuffer(value: object): void {
    ArrayBuffer.prototype.slice.call(value, 0, 0)
    if ("resizable" in value && value.resizable === true) throw new Refusal("a resizable ArrayBuffer")
    this.refuseOwnProperties(value)
  }

  private refuseOwnProperties(value: object): void {
    if (Reflect.ownKeys(value).length > 0) throw new Refusal("an instance with properties of its own")
  }
}

/**
 * Whether the value comes back equal from JSON, or else from extended cloning; or the first part that comes back from neither.
 */
export const examine = (value: unknown): "json" | "extended" | "shared" | EncodeRefusal => {
  const examination = new Examination()
  try {
    examination.examine(value)
    if (examination.shared) return "shared"
    return examination.extended ? "extended" : "json"
  } catch (thrown) {
    const path = `value${printPath(examination.path)}`
    return thrown instanceof Refusal
      ? { path, problem: `is ${thrown.what}, which can't be stored` }
      : { path, problem: "threw when it was read", cause: thrown }
  }
}
