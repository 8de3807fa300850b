/** Reads items: a quiet GET each, so only those which are there are answered. */
import type { StoredBytes } from "../../../../ByteStore.js"
import type { Generation } from "../generation.js"
import type { Answer } from "../protocol/AnswerReader.js"
import { headerLength, Opcode, Status } from "../protocol/constants.js"
import { noBody, type Opaques, writeRequest } from "../protocol/request.js"
import { Command } from "./Command.js"
import { type Item, isLiving, itemIn } from "./item.js"

export class ReadCommand extends Command<ReadonlyArray<StoredBytes | undefined>> {
  readonly requests: number
  readonly length: number
  private readonly found: Array<Item | undefined>

  constructor(
    primary: number,
    private readonly server: number,
    private readonly keys: ReadonlyArray<string>
  ) {
    super(primary)
    this.requests = keys.length
    let length = keys.length * headerLength
    for (const key of keys) length += key.length
    this.length = length
    this.found = new Array(keys.length)
  }

  encode(into: Buffer, at: number, opaques: Opaques): void {
    let next = at
    for (const key of this.keys) next = writeRequest(into, next, Opcode.getQuietly, opaques.next(), key, noBody)
  }

  answer(index: number, answer: Answer): void {
    if (answer.status === Status.success) this.found[index] = itemIn(answer, this.server)
    else if (answer.status !== Status.notFound) this.unexpected(answer)
  }

  /** Takes out the items of earlier generations. */
  protected result(generation: Generation | undefined): ReadonlyArray<StoredBytes | undefined> {
    const { found } = this
    for (let index = 0; index < found.length; index++) {
      if (!isLiving(found[index]?.token, generation)) found[index] = undefined
    }
    return found
  }
}
