/**
 * Deletes an item if it is still the one that was read. A value too large for the server was to replace it, so it must not be
 * served as current. memcached deletes it by itself; a server that is only compatible with memcached may not.
 */
import type { Answer } from "../protocol/AnswerReader.js"
import { Opcode } from "../protocol/constants.js"
import { noBody, type Opaques, requestLength, writeRequest } from "../protocol/request.js"
import { Command } from "./Command.js"
import type { Token } from "./item.js"

export class DiscardCommand extends Command<void> {
  readonly requests = 1
  readonly length: number

  constructor(
    primary: number,
    private readonly key: string,
    private readonly token: Token
  ) {
    super(primary)
    this.length = requestLength(key, noBody)
  }

  encode(into: Buffer, at: number, opaques: Opaques): void {
    const { casHigh, casLow } = this.token
    writeRequest(into, at, Opcode.delete, opaques.next(), this.key, { ...noBody, casHigh, casLow })
  }

  answer(_index: number, _answer: Answer): void {
    // Whatever the answer: the item that was read does not stand there any more.
  }

  protected result(): void {
    // Nobody asks for more than that it was answered.
  }
}
