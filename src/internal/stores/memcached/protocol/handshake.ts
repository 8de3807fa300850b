/**
 * The first request on a connection. A server that takes connections may still be dead: its answer shows that it lives, and that
 * it takes the user and the password.
 */
import { Redacted } from "effect"
import { Opcode } from "./constants.js"
import { buildRequest } from "./memjs.js"

/**
 * A line end for servers of the text protocol: they answer once a line is whole, so they say what they are. Those of the binary
 * protocol repeat the number.
 */
const lineEnd = 0x0d0a0d0a

/** A NOOP. */
export const greeting: Buffer = buildRequest(Opcode.noop, "", "", "", lineEnd)

/** A login by SASL PLAIN. */
export const login = (username: string, password: Redacted.Redacted): Buffer =>
  buildRequest(Opcode.authenticate, "PLAIN", "", `\0${username}\0${Redacted.value(password)}`, lineEnd)
