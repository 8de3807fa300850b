/** What an item holds beside its key: flags and expiry, and the generation in front of the bytes. */
import type { ByteRecord } from "../../../../ByteStore.js"
import { type Generation, generationLength, writeGeneration } from "../generation/Generation.js"
import { headerLength } from "../protocol/constants.js"
import { type RequestBody, requestLength, writeRequest } from "../protocol/request.js"
import { expiryField } from "./expiry.js"

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
 * Writes a SET or ADD of the record. Returns where it ends. The flags repeat half of the generation, because the answer to a
 * TOUCH has the flags and not the value.
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
