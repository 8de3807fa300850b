/**
 * Deletes items and counts those that lived. The answer to a DELETE does not say what was deleted, so a TOUCH goes ahead of it:
 * its answer has the item's flags, which name the generation, and not its value. Should the connection break between the two,
 * the item ends some seconds later. Not one: memcached counts whole seconds of its clock, and one may end between the two.
 */
import type { Generation } from "../generation.js"
import type { Answer } from "../protocol/AnswerReader.js"
import { headerLength, Opcode, Status } from "../protocol/constants.js"
import { noBody, type Opaques, type RequestBody, requestLength, writeRequest } from "../protocol/request.js"
import { Command } from "./Command.js"

const touchBody: RequestBody = { ...noBody, extrasLength: 4 }
const threeSeconds = 3

export class RemoveCommand extends Command<number> {
  readonly requests: number
  readonly length: number
  /** Half the generation of each item that the TOUCH met. */
  private readonly touched: Array<number | undefined>
  private readonly deleted: Array<boolean>

  constructor(
    primary: number,
    private readonly keys: ReadonlyArray<string>
  ) {
    super(primary)
    this.requests = keys.length * 2
    this.length = keys.reduce((sum, key) => sum + requestLength(key, touchBody) + requestLength(key, noBody), 0)
    this.touched = new Array(keys.length).fill(undefined)
    this.deleted = new Array(keys.length).fill(false)
  }

  encode(into: Buffer, at: number, opaques: Opaques): void {
    let next = at
    for (const key of this.keys) {
      into.writeUInt32BE(threeSeconds, next + headerLength)
      next = writeRequest(into, next, Opcode.touch, opaques.next(), key, touchBody)
      next = writeRequest(into, next, Opcode.delete, opaques.next(), key, noBody)
    }
  }

  answer(index: number, answer: Answer): void {
    const key = index >> 1
    const isTouch = index % 2 === 0
    if (answer.status === Status.notFound) return
    if (answer.status !== Status.success) this.unexpected(answer)
    else if (!isTouch) this.deleted[key] = true
    else if (answer.start - answer.extras >= 4) this.touched[key] = answer.buffer.readInt32BE(answer.extras)
  }

  protected result(generation: Generation | undefined): number {
    if (generation === undefined) return 0
    return this.deleted.filter((deleted, key) => deleted && this.touched[key] === generation.high).length
  }
}
