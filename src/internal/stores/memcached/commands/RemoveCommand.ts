/**
 * Deletes records and counts those that lived. A DELETE does not say what it deleted, so a TOUCH goes ahead of it: its
 * answer has the record's flags, which name the generation, and not its value. Should the connection break between the
 * two, the record ends a second later.
 *
 * @since 0.1.0
 */
import type { Answer } from "../client/AnswerReader.js"
import {
  headerLength,
  noBody,
  Opcode,
  type RequestBody,
  requestLength,
  Status,
  writeRequest
} from "../client/protocol.js"
import type { Generation } from "../generation/Generation.js"
import { Call, type Listener, type Opaques, type Problem, problemOf } from "./Command.js"

const touchBody: RequestBody = { ...noBody, extrasLength: 4 }
const soon = 1

export class RemoveCall extends Call {
  readonly requests: number
  readonly length: number
  /** Half the generation of each record that the TOUCH met. */
  private readonly touched: Array<number | undefined>
  private readonly deleted: Array<boolean>
  private problem: Problem | undefined

  constructor(
    home: number,
    private readonly keys: ReadonlyArray<string>,
    private readonly listener: Listener<number>
  ) {
    super(home)
    this.requests = keys.length * 2
    this.length = keys.reduce((sum, key) => sum + requestLength(key, touchBody) + requestLength(key, noBody), 0)
    this.touched = new Array(keys.length).fill(undefined)
    this.deleted = new Array(keys.length).fill(false)
  }

  encode(into: Buffer, at: number, opaques: Opaques): void {
    let next = at
    for (const key of this.keys) {
      into.writeUInt32BE(soon, next + headerLength)
      next = writeRequest(into, next, Opcode.touch, opaques.next(), key, touchBody)
      next = writeRequest(into, next, Opcode.delete, opaques.next(), key, noBody)
    }
  }

  answer(index: number, answer: Answer): void {
    const key = index >> 1
    const isTouch = index % 2 === 0
    if (answer.status === Status.notFound) return
    if (answer.status !== Status.success) this.problem ??= problemOf(answer)
    else if (!isTouch) this.deleted[key] = true
    else if (answer.start - answer.extras >= 4) this.touched[key] = answer.buffer.readUInt32BE(answer.extras)
  }

  settle(generation: Generation | undefined): void {
    const lived = (deleted: boolean, key: number) => deleted && this.touched[key] === generation?.high
    if (this.problem !== undefined) this.listener.failed(this.problem)
    else this.listener.done(generation === undefined ? 0 : this.deleted.filter(lived).length)
  }

  fail(problem: Problem): void {
    this.listener.failed(problem)
  }
}
