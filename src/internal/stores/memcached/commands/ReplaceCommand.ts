/**
 * Compare-and-set: a REPLACE whose header carries the compare-and-set number of the item that was read. No SET: memcached deletes
 * the item that a SET of too large a value was to replace, and with a lease those who wait for it would not learn how it ended.
 */
import { Option } from "effect"
import type { ByteRecord } from "../../../../ByteStore.js"
import type { Generation } from "../generation.js"
import type { Answer } from "../protocol/AnswerReader.js"
import { Opcode, Status } from "../protocol/constants.js"
import type { Opaques } from "../protocol/request.js"
import { Command } from "./Command.js"
import { itemLength, Token, writeItem } from "./item.js"

export class ReplaceCommand extends Command<Option.Option<Token>> {
  readonly requests = 1
  readonly length: number
  private written: Token | undefined

  /**
   * @param over the item to replace
   * @param generation of the new item: that of the item to replace, unless that one is dead
   */
  constructor(
    primary: number,
    private readonly key: string,
    private readonly over: Token,
    private readonly generation: Generation,
    private readonly record: ByteRecord
  ) {
    super(primary)
    this.length = itemLength(key, record)
  }

  encode(into: Buffer, at: number, opaques: Opaques): void {
    writeItem(into, at, Opcode.replace, opaques.next(), this.key, this.record, this.generation, this.over)
  }

  answer(_index: number, answer: Answer): void {
    if (answer.status === Status.success) {
      this.written = new Token(this.over.server, this.generation, answer.casHigh, answer.casLow)
    } else if (answer.status !== Status.exists && answer.status !== Status.notFound) {
      this.unexpected(answer)
    }
  }

  protected result(generation: Generation | undefined): Option.Option<Token> {
    // After a clear the item that was read is gone, even if its compare-and-set number still fits.
    const isCurrent = generation?.equals(this.generation) === true
    return isCurrent ? Option.fromNullable(this.written) : Option.none()
  }
}
