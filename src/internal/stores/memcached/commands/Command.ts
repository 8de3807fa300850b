/**
 * One operation of the store on one server: some requests, and what their answers mean. This base class holds what all
 * commands share: who waits for the result, the first unexpected answer, and how the command ends.
 *
 * A command is used once. It goes out in a pipeline, together with the commands of other fibers.
 */
import { Effect } from "effect"
import type { Generation } from "../generation.js"
import type { Answer } from "../protocol/AnswerReader.js"
import type { Opaques } from "../protocol/request.js"
import { Problem, problemOf } from "./Problem.js"

/** Who waits for a command. One of the two methods is called, once, unless the command was abandoned. */
export interface Listener<Result> {
  done(result: Result): void
  failed(problem: Problem): void
}

/**
 * What a listener makes of its result, in the callback of the socket. A throw concerns this caller alone: it must not come between
 * the socket and the other callers.
 */
export const orDie = <Input, A, E, R>(
  make: (input: Input) => Effect.Effect<A, E, R>,
  input: Input
): Effect.Effect<A, E, R> => {
  try {
    return make(input)
  } catch (defect) {
    return Effect.die(defect)
  }
}

/**
 * The result of a command that wrote under a generation which was not the present one. What it wrote is dead; the command is
 * to be made again.
 */
export const superseded = Symbol("superseded")
export type Superseded = typeof superseded

export abstract class Command<Result> {
  private listener: Listener<Result> | undefined
  private problem: Problem | undefined

  /** @param primary the server that the keys belong to; while it is down, a stand-in server is asked for them */
  constructor(readonly primary: number) {}

  /** How many requests the command makes. Each gets a number. */
  abstract readonly requests: number
  /** How many bytes `encode` writes. */
  abstract readonly length: number
  /** Writes the requests. `generation` is the one that the server is assumed to have. */
  abstract encode(into: Buffer, at: number, opaques: Opaques, generation: Generation): void
  /** Takes the answer to the command's request number `index`. A request that is sent quietly may get none. */
  abstract answer(index: number, answer: Answer): void
  /**
   * What the answers mean, once all are in. `generation` is the one that the server had when it gave the last answer. Not called
   * after an unexpected answer.
   */
  protected abstract result(generation: Generation | undefined): Result | Problem

  listen(listener: Listener<Result>): void {
    this.listener = listener
  }

  /** Nobody waits any more. What was not sent yet is not sent. */
  abandon(): void {
    this.listener = undefined
  }

  get isAbandoned(): boolean {
    return this.listener === undefined
  }

  /** All answers are in. */
  settle(generation: Generation | undefined): void {
    const result = this.problem ?? this.result(generation)
    if (result instanceof Problem) this.fail(result)
    else this.listener?.done(result)
  }

  fail(problem: Problem): void {
    this.listener?.failed(problem)
  }

  /** The command has no result. The first unexpected answer says why. */
  protected unexpected(answer: Answer): void {
    this.problem ??= problemOf(answer)
  }
}
