/**
 * What an item holds beside its key: flags and expiry, and the generation in front of the bytes.
 *
 * @since 0.1.0
 */
import type { ByteRecord } from "../../../../ByteStore.js"
import { headerLength, type RequestBody, requestLength, writeRequest } from "../client/protocol.js"
import { expiryField } from "../expiry.js"
import { type Generation, generationLength, writeGeneration } from "../generation/Generation.js"

/** Anything that carries a compare-and-set number. */
interface Cas {
  readonly casHigh: number
  readonly casLow: number
}

const anyCas: Cas = { casHigh: 0, casLow: 0 }
const storeExtras = 8

const itemBody = (record: ByteRecord, cas: Cas): RequestBody => ({
  extrasLength: storeExtras,
  valueLength: generationLength + record.bytes.length,
  casHigh: cas.casHigh,
  casLow: cas.casLow
})

export const itemLength = (key: string, record: ByteRecord): number => requestLength(key, itemBody(record, anyCas))

/**
 * Writes a SET or ADD of the record and says where it ends. The flags repeat half of the generation, because an answer to
 * TOUCH has them and not the value.
 */
export const writeItem = (
  into: Buffer,
  at: number,
  opcode: number,
  opaque: number,
  key: string,
  record: ByteRecord,
  generation: Generation,
  cas: Cas = anyCas
): number => {
  const valueAt = writeRequest(into, at, opcode, opaque, key, itemBody(record, cas))
  into.writeUInt32BE(generation.high, at + headerLength)
  into.writeUInt32BE(expiryField(record.lifetime, Date.now()), at + headerLength + 4)
  writeGeneration(into, valueAt, generation)
  into.set(record.bytes, valueAt + generationLength)
  return valueAt + generationLength + record.bytes.length
}
