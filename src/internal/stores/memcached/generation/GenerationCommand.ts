/**
 * Writes a generation record: `ensure` only where none stands, `renew` whatever stood there. Either way the batch ends by
 * reading it, so the result is the generation that counts.
 *
 * @since 0.1.0
 */
import type { Answer } from "../client/AnswerReader.js"
import { headerLength, Opcode, type RequestBody, requestLength, Status, writeRequest } from "../client/protocol.js"
import { Call, type Listener, type Opaques, Problem, problemOf } from "../commands/Command.js"
import { type Generation, generationLength, randomGeneration, writeGeneration } from "./Generation.js"

const generationBody: RequestBody = { extrasLength: 8, valueLength: generationLength, casHigh: 0, casLow: 0 }

export class GenerationCall extends Call {
  readonly requests = 1
  readonly length: number
  private problem: Problem | undefined

  constructor(
    home: number,
    private readonly how: "ensure" | "renew",
    private readonly key: string,
    private readonly listener: Listener<Generation>
  ) {
    super(home)
    this.length = requestLength(key, generationBody)
  }

  encode(into: Buffer, at: number, opaques: Opaques): void {
    const opcode = this.how === "ensure" ? Opcode.add : Opcode.setQuietly
    const valueAt = writeRequest(into, at, opcode, opaques.next(), this.key, generationBody)
    into.fill(0, at + headerLength, at + headerLength + generationBody.extrasLength)
    writeGeneration(into, valueAt, randomGeneration())
  }

  answer(_index: number, answer: Answer): void {
    if (answer.status !== Status.success && answer.status !== Status.exists) this.problem = problemOf(answer)
  }

  settle(generation: Generation | undefined): void {
    if (this.problem !== undefined) this.listener.failed(this.problem)
    else if (generation !== undefined) this.listener.done(generation)
    else this.listener.failed(new Problem("StoreFailed", "the server did not keep the namespace's generation"))
  }

  fail(problem: Problem): void {
    this.listener.failed(problem)
  }
}
