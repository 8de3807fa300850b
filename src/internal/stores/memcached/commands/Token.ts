/**
 * The proof of which entry was read. memcached's compare-and-set number is unique on one server only, and only until that is
 * restarted, so the server and the generation belong to the proof.
 */
import { type Generation, readGeneration } from "../generation/Generation.js"
import type { Answer } from "../protocol/AnswerReader.js"

export class Token {
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

/** The proof of the item in an answer to a GET; `undefined` when the item is too short to be ours. */
export const tokenIn = (answer: Answer, server: number): Token | undefined => {
  const generation = readGeneration(answer.buffer, answer.start, answer.end)
  return generation === undefined ? undefined : new Token(server, generation, answer.casHigh, answer.casLow)
}

/** Whether an item belongs to the present generation. */
export const isLiving = (token: Token | undefined, generation: Generation | undefined): boolean =>
  token !== undefined && generation !== undefined && token.generation.equals(generation)
