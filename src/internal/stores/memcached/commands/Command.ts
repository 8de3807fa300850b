/**
 * One operation of the store on one server: some requests, which go out together with those of other fibers.
 *
 * @since 0.1.0
 */
import type { Answer } from "../client/AnswerReader.js"
import { Status } from "../client/protocol.js"
import type { Generation } from "../generation/Generation.js"

/** Why a call has no result; becomes a `CacheError` where operation and key are known. */
export class Problem extends Error {
  constructor(
    readonly reason: "Unavailable" | "Timeout" | "StoreFailed" | "TooLarge",
    message: string,
    options?: ErrorOptions
  ) {
    super(message, options)
  }
}

/** How a caller hears of a result: once, unless it abandoned the call. */
export interface Listener<A> {
  readonly done: (result: A) => void
  readonly failed: (problem: Problem) => void
}

/** The generation was not what the call assumed; what it wrote is dead, and the call is to be made again. */
export const superseded = Symbol("superseded")
export type Superseded = typeof superseded

export abstract class Call {
  /** The server that the call's keys belong to: another than the one that is asked while that one is down. */
  readonly home: number
  /** Nobody waits any more: what was not sent yet is not sent. */
  abandoned = false

  constructor(home: number) {
    this.home = home
  }

  /** How many requests the call makes, each with its own number. */
  abstract readonly requests: number
  /** The bytes that `encode` writes. */
  abstract readonly length: number
  abstract encode(into: Buffer, at: number, opaque: Opaques, generation: Generation): void
  /** An answer to the call's request number `index`; a request that was sent quietly may get none. */
  abstract answer(index: number, answer: Answer): void
  /** All answers are in; `generation` is what stood in the generation record when the last one was given. */
  abstract settle(generation: Generation | undefined): void
  abstract fail(problem: Problem): void
}

/** Request numbers, which stay below 2^31 for ever: memjs's own turn negative there, and every call throws. */
export class Opaques {
  private upcoming: number

  constructor(first: number) {
    this.upcoming = first & Opaques.mask
  }

  static readonly mask = 0x7f_ff_ff_ff

  next(): number {
    const opaque = this.upcoming
    this.upcoming = (opaque + 1) & Opaques.mask
    return opaque
  }

  peek(): number {
    return this.upcoming
  }

  /** How far `opaque` is past `first`. */
  static distance(first: number, opaque: number): number {
    return (opaque - first) & Opaques.mask
  }
}

const problemTexts: Record<number, string> = {
  [Status.notStored]: "the server did not store the item",
  [Status.authenticationFailed]: "the server wants a user and a password, or other ones",
  [Status.outOfMemory]: "the server has no memory left for the item"
}

/** What an unexpected status means. */
export const problemOf = (answer: Answer): Problem => {
  if (answer.status === Status.tooLarge) return new Problem("TooLarge", "the value is over the server's item size")
  const said = answer.buffer.toString("latin1", answer.start, Math.min(answer.end, answer.start + 100))
  const text = problemTexts[answer.status] ?? `the server answered with status 0x${answer.status.toString(16)}`
  return new Problem("StoreFailed", said === "" ? text : `${text} (${said})`)
}
