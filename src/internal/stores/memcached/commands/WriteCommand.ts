/**
 * Writes items whatever was there: a quiet SET each, so that only those which failed are answered.
 *
 * @since 0.1.0
 */
import type { ByteItem } from "../../../../ByteStore.js"
import type { Answer } from "../client/AnswerReader.js"
import { Opcode, Status } from "../client/protocol.js"
import type { Generation } from "../generation/Generation.js"
import { Call, type Listener, type Opaques, type Problem, problemOf, type Superseded, superseded } from "./Command.js"
import { itemLength, writeItem } from "./itemBody.js"

export interface Rejection {
  readonly item: ByteItem
  readonly problem: Problem
}

export class WriteCall extends Call {
  readonly requests: number
  readonly length: number
  private assumed: Generation | undefined
  private readonly rejected: Array<Rejection> = []

  constructor(
    home: number,
    private readonly items: ReadonlyArray<ByteItem>,
    private readonly listener: Listener<ReadonlyArray<Rejection> | Superseded>
  ) {
    super(home)
    this.requests = items.length
    let length = 0
    for (const { key, record } of items) length += itemLength(key, record)
    this.length = length
  }

  encode(into: Buffer, at: number, opaques: Opaques, generation: Generation): void {
    this.assumed = generation
    let next = at
    for (const { key, record } of this.items) {
      next = writeItem(into, next, Opcode.setQuietly, opaques.next(), key, record, generation)
    }
  }

  answer(index: number, answer: Answer): void {
    const item = this.items[index]
    if (answer.status === Status.success || item === undefined) return
    this.rejected.push({ item, problem: problemOf(answer) })
  }

  settle(generation: Generation | undefined): void {
    const current = generation !== undefined && this.assumed?.equals(generation) === true
    this.listener.done(current ? this.rejected : superseded)
  }

  fail(problem: Problem): void {
    this.listener.failed(problem)
  }
}
