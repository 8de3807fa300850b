/**
 * Requests, written straight into the buffer of a whole pipeline.
 *
 * memjs's `makeRequestBuffer` allocates five buffers a request and takes 2 µs; a hit takes 7. It builds the requests that are
 * rare (see memjs.ts).
 */
import { headerLength, requestMagic } from "./constants.js"

/** What a request has beside opcode, key and opaque. */
export interface RequestBody {
  readonly extrasLength: number
  readonly valueLength: number
  readonly casHigh: number
  readonly casLow: number
}

export const noBody: RequestBody = { extrasLength: 0, valueLength: 0, casHigh: 0, casLow: 0 }

export const requestLength = (key: string, body: RequestBody): number =>
  headerLength + body.extrasLength + key.length + body.valueLength

/**
 * Writes the header and the key. Returns where the value begins; the extras begin right after the header. The caller writes
 * both.
 */
export const writeRequest = (
  into: Buffer,
  at: number,
  opcode: number,
  opaque: number,
  key: string,
  body: RequestBody
): number => {
  into[at] = requestMagic
  into[at + 1] = opcode
  into[at + 2] = 0
  into[at + 3] = key.length
  into[at + 4] = body.extrasLength
  into[at + 5] = 0
  into[at + 6] = 0
  into[at + 7] = 0
  into.writeUInt32BE(body.extrasLength + key.length + body.valueLength, at + 8)
  into.writeUInt32BE(opaque, at + 12)
  into.writeUInt32BE(body.casHigh, at + 16)
  into.writeUInt32BE(body.casLow, at + 20)
  const keyAt = at + headerLength + body.extrasLength
  into.write(key, keyAt, "latin1")
  return keyAt + key.length
}

const mask = 0x7f_ff_ff_ff

/**
 * Numbers the requests of a connection. A server repeats the number ("opaque") in its answer. The numbers start again at 0
 * after 2^31: memjs's numbers turn negative there, and every call throws.
 */
export class Opaques {
  private upcoming: number

  constructor(first: number) {
    this.upcoming = first & mask
  }

  next(): number {
    const opaque = this.upcoming
    this.upcoming = (opaque + 1) & mask
    return opaque
  }

  peek(): number {
    return this.upcoming
  }

  /** How many numbers after `first` the number `opaque` was given. */
  static distance(first: number, opaque: number): number {
    return (opaque - first) & mask
  }
}

/** memcached closes the connection on a longer key. */
const maxKeyLength = 250
const printableAscii = /^[\x21-\x7e]+$/

/** Whether memcached takes the key as it is. Any other key would harm the next request on the connection. */
export const isKey = (key: string): boolean => key.length > 0 && key.length <= maxKeyLength && printableAscii.test(key)
