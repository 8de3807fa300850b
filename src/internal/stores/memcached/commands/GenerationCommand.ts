/**
 * Writes the record of a generation: `ensure` only where none stands, `renew` whatever stood there. Every pipeline ends by
 * reading that record, so the result is the generation that counts; `undefined` where `ensure` met a record that is none.
 */
import { type Generation, generationLength, randomGeneration, writeGeneration } from "../generation.js"
import type { Answer } from "../protocol/AnswerReader.js"
import { Opcode, Status } from "../protocol/constants.js"
import { buildRequest } from "../protocol/memjs.js"
import { type Opaques, requestLength } from "../protocol/request.js"
import { Command } from "./Command.js"
import { Problem } from "./Problem.js"

const noFlagsNoExpiry = Buffer.alloc(8)

export class GenerationCommand extends Command<Generation | undefined> {
  readonly requests = 1
  readonly length: number

  constructor(
    primary: number,
    private readonly how: "ensure" | "renew",
    private readonly key: string
  ) {
    super(primary)
    const extrasLength = noFlagsNoExpiry.length
    this.length = requestLength(key, { extrasLength, valueLength: generationLength, casHigh: 0, casLow: 0 })
  }

  encode(into: Buffer, at: number, opaques: Opaques): void {
    const opcode = this.how === "ensure" ? Opcode.add : Opcode.setQuietly
    const value = Buffer.alloc(generationLength)
    writeGeneration(value, 0, randomGeneration())
    buildRequest(opcode, this.key, noFlagsNoExpiry, value, opaques.next()).copy(into, at)
  }

  answer(_index: number, answer: Answer): void {
    if (answer.status !== Status.success && answer.status !== Status.exists) this.unexpected(answer)
  }

  protected result(generation: Generation | undefined): Generation | undefined | Problem {
    if (generation !== undefined || this.how === "ensure") return generation
    return new Problem("StoreFailed", "the server did not keep the namespace's generation")
  }
}
