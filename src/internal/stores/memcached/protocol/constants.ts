/** The part of memcached's binary protocol that this library speaks. */

export const Opcode = {
  get: 0x00,
  add: 0x02,
  replace: 0x03,
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

export const requestMagic = 0x80
export const answerMagic = 0x81
/** Requests and answers begin with a header of this length. */
export const headerLength = 24
