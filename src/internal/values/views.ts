/** Arrays of bytes and numbers: their names in an encoded value, and how to make them of bytes. */
import { Buffer } from "node:buffer"

interface ViewKind {
  readonly name: string
  /** In bytes. */
  readonly elementSize: number
  /** A value over a copy of the bytes, so that it does not keep their memory alive. */
  readonly make: (bytes: Uint8Array) => ArrayBuffer | ArrayBufferView
}

interface TypedArrayConstructor {
  readonly name: string
  readonly BYTES_PER_ELEMENT: number
  readonly prototype: ArrayBufferView
  new (memory: ArrayBuffer): ArrayBufferView
}

const typedArrays: ReadonlyArray<TypedArrayConstructor> = [
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
]

const copyMemory = (bytes: Uint8Array): ArrayBuffer => {
  const memory = new ArrayBuffer(bytes.length)
  new Uint8Array(memory).set(bytes)
  return memory
}

/** A `Buffer` with memory of its own, outside Node's pool. */
export const copyBuffer = (bytes: Uint8Array): Buffer => {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  copy.set(bytes)
  return copy
}

const byPrototype = new Map<unknown, ViewKind>([
  [ArrayBuffer.prototype, { name: "ArrayBuffer", elementSize: 1, make: copyMemory }],
  [DataView.prototype, { name: "DataView", elementSize: 1, make: (bytes) => new DataView(copyMemory(bytes)) }],
  [Buffer.prototype, { name: "Buffer", elementSize: 1, make: copyBuffer }]
])
for (const Constructor of typedArrays) {
  byPrototype.set(Constructor.prototype, {
    name: Constructor.name,
    elementSize: Constructor.BYTES_PER_ELEMENT,
    make: (bytes) => new Constructor(copyMemory(bytes))
  })
}

const byName = new Map<unknown, ViewKind>([...byPrototype.values()].map((kind) => [kind.name, kind]))

export const isViewPrototype = (prototype: unknown): boolean =>
  prototype !== ArrayBuffer.prototype && byPrototype.has(prototype)

export const viewNamed = (name: unknown): ViewKind | undefined => byName.get(name)

/** The name and the bytes of a view or an `ArrayBuffer`; `undefined` for any other object. */
export const viewIn = (value: object): { readonly name: string; readonly bytes: Uint8Array } | undefined => {
  const kind = byPrototype.get(Object.getPrototypeOf(value))
  if (kind === undefined) return undefined
  if (ArrayBuffer.isView(value)) {
    return { name: kind.name, bytes: new Uint8Array(value.buffer, value.byteOffset, value.byteLength) }
  }
  return value instanceof ArrayBuffer ? { name: kind.name, bytes: new Uint8Array(value) } : undefined
}
