/**
 * Writes an item only where none lives. A GET goes ahead of the ADD, in the same pipeline: where an item stands, it tells a
 * living one from one of an earlier generation.
 */
import type { ByteRecord } from "../../../../ByteStore.js"
import { type Generation, noGeneration } from "../generation.js"
import type { Answer } from "../protocol/AnswerReader.js"
import { Opcode, Status } from "../protocol/constants.js"
import { noBody, type Opaques, requestLength, writeRequest } from "../protocol/request.js"
import { Command, type Superseded, superseded } from "./Command.js"
import { isLiving, itemLength, Token, tokenIn, writeItem } from "./item.js"

/**
 * - `added`: by this command
 * - `taken`: a living item stands there
 * - `dead`: what stands there is dead, and may be replaced through its token
 * - `unknown`: an item appeared between the GET and the ADD
 */
export type AddOutcome =
  | { readonly _tag: "added"; readonly token: Token }
  | { readonly _tag: "taken" }
  | { readonly _tag: "dead"; readonly over: Token; readonly generation: Generation }
  | { readonly _tag: "unknown" }

const addRequest = 1

export class AddCommand extends Command<AddOutcome | Superseded> {
  readonly requests = 2
  readonly length: number
  private assumed: Generation | undefined
  private added: Token | undefined
  /** What the GET found, and whether it is an item of this library. */
  private present: Token | undefined
  private isOurs = false

  constructor(
    primary: number,
    private readonly server: number,
    private readonly key: string,
    private readonly record: ByteRecord
  ) {
    super(primary)
    this.length = requestLength(key, noBody) + itemLength(key, record)
  }

  encode(into: Buffer, at: number, opaques: Opaques, generation: Generation): void {
    this.assumed = generation
    const next = writeRequest(into, at, Opcode.getQuietly, opaques.next(), this.key, noBody)
    writeItem(into, next, Opcode.add, opaques.next(), this.key, this.record, generation)
  }

  answer(index: number, answer: Answer): void {
    const { status } = answer
    if (status === Status.success && index === addRequest) {
      this.added = new Token(this.server, this.assumed ?? noGeneration, answer.casHigh, answer.casLow)
    } else if (status === Status.success) {
      const found = tokenIn(answer, this.server)
      this.isOurs = found !== undefined
      this.present = found ?? new Token(this.server, noGeneration, answer.casHigh, answer.casLow)
    } else if (status !== Status.exists && status !== Status.notFound && status !== Status.notStored) {
      this.unexpected(answer)
    }
  }

  protected result(generation: Generation | undefined): AddOutcome | Superseded {
    if (generation === undefined) return superseded
    const { added, present } = this
    if (added !== undefined) {
      if (isLiving(added, generation)) return { _tag: "added", token: added }
      // Ours, but of an earlier generation. It is replaced like any dead item, so another caller's add may win over it.
      return { _tag: "dead", over: added, generation }
    }
    if (present === undefined) return { _tag: "unknown" }
    return this.isOurs && isLiving(present, generation)
      ? { _tag: "taken" }
      : { _tag: "dead", over: present, generation }
  }
}
