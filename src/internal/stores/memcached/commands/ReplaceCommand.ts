/**
 * Compare-and-set: a SET that carries the number of the record that was read. memjs has none, but memcached takes it in
 * the header of any SET.
 *
 * @since 0.1.0
 */
import { Option } from "effect"
import type { ByteRecord } from "../../../../ByteStore.js"
import type { Answer } from "../client/AnswerReader.js"
import { Opcode, Status } from "../client/protocol.js"
import type { Generation } from "../generation/Generation.js"
import { Token } from "../Token.js"
import { Call, type Listener, type Opaques, type Problem, problemOf } from "./Command.js"
import { itemLength, writeItem } from "./itemBody.js"

export class ReplaceCall extends Call {
  readonly requests = 1
  readonly length: number
  private problem: Problem | undefined
  private written: Token | undefined

  /**
   * `over` is the record to replace, `generation` the one that the new record belongs to: the same, unless the record
   * to replace is dead.
   */
  constructor(
    home: number,
    private readonly key: string,
    private readonly over: Token,
    private readonly generation: Generation,
    private readonly record: ByteRecord,
    private readonly listener: Listener<Option.Option<Token>>
  ) {
    super(home)
    this.length = itemLength(key, record)
  }

  encode(into: Buffer, at: number, opaques: Opaques): void {
    writeItem(into, at, Opcode.set, opaques.next(), this.key, this.record, this.generation, this.over)
  }

  answer(_index: number, answer: Answer): void {
    if (answer.status === Status.success) {
      this.written = new Token(this.over.server, this.generation, answer.casHigh, answer.casLow)
    } else if (answer.status !== Status.exists && answer.status !== Status.notFound) {
      this.problem = problemOf(answer)
    }
  }

  settle(generation: Generation | undefined): void {
    // After a clear the record that was read is gone, even if its compare-and-set number still fits.
    const current = generation?.equals(this.generation) === true
    if (this.problem !== undefined) this.listener.failed(this.problem)
    else this.listener.done(current ? Option.fromNullable(this.written) : Option.none())
  }

  fail(problem: Problem): void {
    this.listener.failed(problem)
  }
}
