/**
 * What this library uses of memjs: its request builder.
 *
 * It builds the requests that are rare: the handshake, the login (SASL PLAIN), and the records of generations. Not used are
 * - its `Client` and `Server`: they wait for ever when a server closes the connection, take the rest of a cut answer for the
 *   beginning of the next one, keep no time on a second connection, have no compare-and-set, and write to the socket once a
 *   request (test/memcached/mends.test.ts shows each)
 * - its `parseMessage`: it makes four objects an answer, and takes any bytes for memcached's; `AnswerReader` refuses what is
 *   not, and copies each byte at most once
 * - its list of servers (no weights, no IPv6) and its choice of a server (a server more or less moves nearly all keys)
 */
import { Utils } from "memjs"

/** A whole request. */
export const buildRequest: (
  opcode: number,
  key: string,
  extras: Buffer | string,
  value: Buffer | string,
  opaque: number
) => Buffer = Utils.makeRequestBuffer
