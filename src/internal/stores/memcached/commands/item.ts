/**
 * An item of this library, apart from its key: flags and expiry, the generation, the bytes of the record. And its token, the proof
 * of which item was read.
 */
import type { ByteRecord, StoredBytes } from "../../../../ByteStore.js"
import { type Generation, generationLength, readGeneration, writeGeneration } from "../generation.js"
import type { Answer } from "../protocol/AnswerReader.js"
import { headerLength } from "../protocol/constants.js"
import { writeRequest } from "../protocol/request.js"
import { expiryField } from "./expiry.js"

/** Anything that carries a compare-and-set number. */
interface Cas {
  readonly casHigh: number
  readonly casLow: number
}

/**
 * memcached's compare-and-set number is unique on one server only, and only until that is restarted, so the server and the
 * generation belong to the proof.
 */
export class Token implements Cas {
  constructor(
    readonly server: number,
    readonly generation: Generation,
    readonly casHigh: number,
    readonly casLow: number
  ) {}
}

export const sameToken = (one: unknown, other: unknown): boolean =>
  one instanceof Token &&
  other instanceof Token &&
  one.server === other.server &&
  one.casHigh === other.casHigh &&
  one.casLow === other.casLow &&
  one.generation.equals(other.generation)

export interface Item extends StoredBytes {
  readonly token: Token
}

/** The token of the item in an answer to a GET; `undefined` when the item is too short to be ours. */
export const tokenIn = (answer: Answer, server: number): Token | undefined => {
  const generation = readGeneration(answer.buffer, answer.start, answer.end)
  return generation === undefined ? undefined : new Token(server, generation, answer.casHigh, answer.casLow)
}

/** The same with the record. */
export const itemIn = (answer: Answer, server: number): Item | undefined => {
  const token = tokenIn(answer, server)
  return token === undefined ? undefined : { token, bytes: answer.keep(answer.start + generationLength) }
}

/** Whether an item belongs to the present generation. */
export const isLiving = (token: Token | undefined, generation: Generation | undefined): boolean =>
  token !== undefined && generation !== undefined && token.generation.equals(generation)

const anyCas: Cas = { casHigh: 0, casLow: 0 }
const storeExtras = 8

/** How many bytes `writeItem` writes. */
export const itemLength = (key: string, { bytes }: ByteRecord): number =>
  headerLength + storeExtras + key.length + generationLength + bytes.length

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
  const { casHigh, casLow } = cas
  const valueLength = generationLength + record.bytes.length
  const valueAt = writeRequest(into, at, opcode, opaque, key, {
    extrasLength: storeExtras,
    valueLength,
    casHigh,
    casLow
  })
  into.writeInt32BE(generation.high, at + headerLength)
  into.writeUInt32BE(expiryField(record.lifetime, Date.now()), at + headerLength + 4)
  writeGeneration(into, valueAt, generation)
  into.set(record.bytes, valueAt + generationLength)
  return valueAt + generationLength + record.bytes.length
}
