/**
 * Deletes one record if it is still the one that was read: what a value too large for the server was to replace must
 * not be served as current. memcached drops it by itself, what is compatible with it may not.
 *
 * @since 0.1.0
 */
import type { Answer } from "../client/AnswerReader.js"
import { noBody, Opcode, requestLength, writeRequest } from "../client/protocol.js"
import type { Token } from "../Token.js"
import { Call, type Listener, type Opaques, type Problem } from "./Command.js"

export class DiscardCall extends Call {
  readonly requests = 1
  readonly length: number

  constructor(
    home: number,
    private readonly key: string,
    private readonly token: Token,
    private readonly listener: Listener<void>
  ) {
    super(home)
    this.length = requestLength(key, noBody)
  }

  encode(into: Buffer, at: number, opaques: Opaques): void {
    const { casHigh, casLow } = this.token
    writeRequest(into, at, Opcode.delete, opaques.next(), this.key, { ...noBody, casHigh, casLow })
  }

  answer(_index: number, _answer: Answer): void {
    // Whatever the answer: the record that was read does not stand there any more.
  }

  settle(): void {
    this.listener.done()
  }

  fail(problem: Problem): void {
    this.listener.failed(problem)
  }
}
