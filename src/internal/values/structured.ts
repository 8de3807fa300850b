/**
 * The structured clone format of `node:v8`: exact for all that JSON lacks. It begins with the byte 0xFF and its own
 * version; Node reads its earlier versions, and fails on later ones.
 */
import { Buffer } from "node:buffer"
import { DefaultDeserializer } from "node:v8"

export { serialize as writeStructured } from "node:v8"

/** A `Buffer` with memory of its own, outside Node's pool. */
export const copyBuffer = (bytes: Uint8Array): Buffer => {
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

/** Throws on bytes that no `writeStructured` wrote. */
export const readStructured = (bytes: Uint8Array): unknown => {
  const deserializer = new CopyingDeserializer(bytes)
  deserializer.readHeader()
  return deserializer.readValue()
}
