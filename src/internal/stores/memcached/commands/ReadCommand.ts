/**
 * Reads records: a quiet GET each, so that only those which are there are answered.
 *
 * @since 0.1.0
 */
import type { StoredBytes } from "../../../../ByteStore.js"
import type { Answer } from "../client/AnswerReader.js"
import { headerLength, noBody, Opcode, Status, writeRequest } from "../client/protocol.js"
import { type Generation, generationLength, readGeneration } from "../generation/Generation.js"
import { Token } from "../Token.js"
import { Call, type Listener, type Opaques, type Problem, problemOf } from "./Command.js"

/** A record with its proof, whose type the store above does not know. */
export interface Found extends StoredBytes {
  readonly token: Token
}

export class ReadCall extends Call {
  readonly requests: number
  readonly length: number
  private readonly found: Array<Found | undefined>
  private problem: Problem | undefined

  constructor(
    home: number,
    private readonly server: number,
    private readonly keys: ReadonlyArray<string>,
    private readonly listener: Listener<ReadonlyArray<Found | undefined>>
  ) {
    super(home)
    this.requests = keys.length
    let length = keys.length * headerLength
    for (const key of keys) length += key.length
    this.length = length
    this.found = new Array(keys.length).fill(undefined)
  }

  encode(into: Buffer, at: number, opaques: Opaques): void {
    let next = at
    for (const key of this.keys) next = writeRequest(into, next, Opcode.getQuietly, opaques.next(), key, noBody)
  }

  answer(index: number, answer: Answer): void {
    if (answer.status === Status.success) this.found[index] = foundIn(answer, this.server)
    else if (answer.status !== Status.notFound) this.problem ??= problemOf(answer)
  }

  settle(generation: Generation | undefined): void {
    if (this.problem !== undefined) this.listener.failed(this.problem)
    else this.listener.done(living(this.found, generation))
  }

  fail(problem: Problem): void {
    this.listener.failed(problem)
  }
}

/** The proof of the record in an answer to a GET; `undefined` when it is too short to be ours. */
export const tokenIn = (answer: Answer, server: number): Token | undefined => {
  const generation = readGeneration(answer.buffer, answer.start, answer.end)
  return generation === undefined ? undefined : new Token(server, generation, answer.casHigh, answer.casLow)
}

const foundIn = (answer: Answer, server: number): Found | undefined => {
  const token = tokenIn(answer, server)
  return token === undefined ? undefined : { token, bytes: answer.keep(answer.start + generationLength) }
}

export const isLiving = (token: Token | undefined, generation: Generation | undefined): boolean =>
  token !== undefined && generation !== undefined && token.generation.equals(generation)

/** Takes out what an earlier generation left behind. */
const living = (found: Array<Found | undefined>, generation: Generation | undefined): typeof found => {
  for (let index = 0; index < found.length; index++) {
    if (!isLiving(found[index]?.token, generation)) found[index] = undefined
  }
  return found
}
