/**
 * The first request on a connection. A server that takes connections may still be dead: its answer shows that it lives, and that
 * it takes the user and the password.
 */
import { Redacted } from "effect"
import type { Answer } from "./AnswerReader.js"
import { Opcode } from "./constants.js"
import { buildRequest } from "./memjs.js"

/** A NOOP. */
export const greeting: Buffer = buildRequest(Opcode.noop, "", "", "", 0)

/** A login by SASL PLAIN. */
export const login = (username: string, password: Redacted.Redacted): Buffer =>
  buildRequest(Opcode.authenticate, "PLAIN", "", `\0${username}\0${Redacted.value(password)}`, 0)

export const isHandshake = ({ opcode }: Answer): boolean => opcode === Opcode.noop || opcode === Opcode.authenticate
