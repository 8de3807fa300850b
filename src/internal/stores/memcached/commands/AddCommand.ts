/**
 * Writes a record only where none lives. A GET goes ahead of the ADD, in the same batch: where a record stands, it tells
 * a living one from one that a cleared generation left behind.
 *
 * @since 0.1.0
 */
import type { ByteRecord } from "../../../../ByteStore.js"
import type { Answer } from "../client/AnswerReader.js"
import { noBody, Opcode, requestLength, Status, writeRequest } from "../client/protocol.js"
import { type Generation, noGeneration } from "../generation/Generation.js"
import { Token } from "../Token.js"
import { Call, type Listener, type Opaques, type Problem, problemOf, type Superseded, superseded } from "./Command.js"
import { itemLength, writeItem } from "./itemBody.js"
import { isLiving, tokenIn } from "./ReadCommand.js"

/**
 * - `added`: by this call
 * - `taken`: a living record stands there
 * - `dead`: what stands there is dead, and may be replaced through its token
 * - `unknown`: a record appeared between the GET and the ADD
 */
export type AddOutcome =
  | { readonly _tag: "added"; readonly token: Token }
  | { readonly _tag: "taken" }
  | { readonly _tag: "dead"; readonly over: Token; readonly generation: Generation }
  | { readonly _tag: "unknown" }

const addRequest = 1

export class AddCall extends Call {
  readonly requests = 2
  readonly length: number
  private assumed: Generation | undefined
  private present: Token | undefined
  private added: Token | undefined
  private problem: Problem | undefined
  private seen: Token | undefined

  constructor(
    home: number,
    private readonly server: number,
    private readonly key: string,
    private readonly record: ByteRecord,
    private readonly listener: Listener<AddOutcome | Superseded>
  ) {
    super(home)
    this.length = requestLength(key, noBody) + itemLength(key, record)
  }

  encode(into: Buffer, at: number, opaques: Opaques, generation: Generation): void {
    this.assumed = generation
    const next = writeRequest(into, at, Opcode.getQuietly, opaques.next(), this.key, noBody)
    writeItem(into, next, Opcode.add, opaques.next(), this.key, this.record, generation)
  }

  answer(index: number, answer: Answer): void {
    const { status } = answer
    if (index === addRequest && status === Status.success) {
      this.added = new Token(this.server, this.assumed ?? noGeneration, answer.casHigh, answer.casLow)
    } else if (index !== addRequest && status === Status.success) {
      this.seen = tokenIn(answer, this.server)
      this.present = this.seen ?? new Token(this.server, noGeneration, answer.casHigh, answer.casLow)
    } else if (status !== Status.exists && status !== Status.notFound && status !== Status.notStored) {
      this.problem ??= problemOf(answer)
    }
  }

  settle(generation: Generation | undefined): void {
    if (this.problem !== undefined) this.listener.failed(this.problem)
    else this.listener.done(this.outcome(generation))
  }

  private outcome(generation: Generation | undefined): AddOutcome | Superseded {
    if (this.added !== undefined) {
      if (generation !== undefined && this.added.generation.equals(generation)) {
        return { _tag: "added", token: this.added }
      }
      // Ours, but dead at birth: it is replaced like any dead record, so that another's add may still win over it.
      return generation === undefined ? superseded : { _tag: "dead", over: this.added, generation }
    }
    if (generation === undefined) return superseded
    if (isLiving(this.seen, generation)) return { _tag: "taken" }
    return this.present === undefined ? { _tag: "unknown" } : { _tag: "dead", over: this.present, generation }
  }

  fail(problem: Problem): void {
    this.listener.failed(problem)
  }
}
