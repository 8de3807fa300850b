/** Writes items whatever was there: a quiet SET each, so only those which failed are answered. */
import type { ByteItem } from "../../../../ByteStore.js"
import type { Generation } from "../generation.js"
import type { Answer } from "../protocol/AnswerReader.js"
import { Opcode, Status } from "../protocol/constants.js"
import type { Opaques } from "../protocol/request.js"
import { Command, type Superseded, superseded } from "./Command.js"
import { itemLength, writeItem } from "./item.js"
import { type Problem, problemOf } from "./Problem.js"

/** An item that the server did not store. */
export interface Rejection {
  readonly item: ByteItem
  readonly problem: Problem
}

const none: ReadonlyArray<Rejection> = []

export class WriteCommand extends Command<ReadonlyArray<Rejection> | Superseded> {
  readonly requests: number
  readonly length: number
  private assumed: Generation | undefined
  private rejected: Array<Rejection> | undefined

  constructor(
    primary: number,
    private readonly items: ReadonlyArray<ByteItem>
  ) {
    super(primary)
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
    this.rejected ??= []
    this.rejected.push({ item, problem: problemOf(answer) })
  }

  protected result(generation: Generation | undefined): ReadonlyArray<Rejection> | Superseded {
    const isCurrent = generation !== undefined && this.assumed?.equals(generation) === true
    return isCurrent ? (this.rejected ?? none) : superseded
  }
}
