/**
 * The words of memcached's binary protocol that this library speaks.
 *
 * @since 0.1.0
 */

export const Opcode = {
  get: 0x00,
  set: 0x01,
  add: 0x02,
  delete: 0x04,
  getQuietly: 0x09,
  noop: 0x0a,
  setQuietly: 0x11,
  touch: 0x1c,
  authenticate: 0x21
} as const

export const Status = {
  success: 0x00,
  notFound: 0x01,
  exists: 0x02,
  tooLarge: 0x03,
  notStored: 0x05,
  authenticationFailed: 0x20,
  outOfMemory: 0x82
} as const

export const headerLength = 24
/** A key may have 250 bytes; memcached closes the connection on a longer one. */
export const maxKeyLength = 250
const requestMagic = 0x80

/** What `writeRequest` needs beside opcode, key and opaque. */
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
 * Writes a request's header and key, and says where its value begins (its extras begin after the header). Goes straight
 * into the buffer of a whole batch: memjs's `makeRequestBuffer` allocates five buffers a request.
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

const printableAscii = /^[\x21-\x7e]+$/

/** A key that memcached takes as it is: the next request on the connection depends on it. */
export const isKey = (key: string): boolean => key.length > 0 && key.length <= maxKeyLength && printableAscii.test(key)
