/**
 * The structured clone format of `node:v8`, which is exact for all that JSON lacks. It begins with the byte 0xFF and a version; Node
 * reads earlier versions, and fails on later ones.
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

// Node documents this method for subclasses; @types/node does not declare it, hence the cast.
const { _readHostObject: readView } = DefaultDeserializer.prototype as unknown as {
  readonly _readHostObject: (this: DefaultDeserializer) => DataView | Uint8Array
}

/** Copies each view that `node:v8` reads from the input, so that no value keeps the input alive. */
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
