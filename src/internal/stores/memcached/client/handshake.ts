/**
 * The two messages that are not a store's.
 *
 * @since 0.1.0
 */
import { type Response, Utils } from "memjs"
import { Opcode } from "./protocol.js"

/** Asks for a sign of life. */
export const handshakeRequest: Buffer = Utils.makeRequestBuffer(Opcode.noop, "", "", "", 0)

const empty = Buffer.alloc(0)

/** What memjs's `respond` needs in order to call back for a batch whose answers have been handed out already. */
export const endOfBatch = (opaque: number): Response => ({
  header: {
    magic: 0x81,
    opcode: Opcode.get,
    keyLength: 0,
    extrasLength: 0,
    dataType: 0,
    status: 0,
    totalBodyLength: 0,
    opaque,
    cas: empty
  },
  key: empty,
  extras: empty,
  val: empty
})
