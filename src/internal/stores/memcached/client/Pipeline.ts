/**
 * What goes to one server in one write: the requests of all calls of a moment, whatever fiber made them, and last a GET of
 * the namespace's generation. Only that GET is always answered, so its answer ends the batch; and as the generation is
 * read after the items, no call ever trusts one that another process has already cleared.
 *
 * @since 0.1.0
 */

import { type Call, Opaques, type Problem } from "../commands/Command.js"
import { type Generation, noGeneration, readGeneration } from "../generation/Generation.js"
import type { Generations } from "../generation/Generations.js"
import type { Answer } from "./AnswerReader.js"
import { noBody, Opcode, requestLength, Status, writeRequest } from "./protocol.js"

export class Batch {
  /** The number of the last request, whose answer ends the batch. */
  last = 0
  /** Its place in the process's clock of milliseconds: answers that come later are not waited for. */
  deadline = 0
  private readonly homes: ReadonlyArray<number>
  private first = 0
  private readonly requests: number
  private call = 0
  /** How many requests stand before those of the present call. */
  private before = 0
  private answeredHomes = 0

  constructor(
    private readonly calls: ReadonlyArray<Call>,
    private readonly server: number,
    private readonly generations: Generations
  ) {
    let homes: Set<number> | undefined
    let requests = 0
    for (const call of calls) {
      if (call.home !== server) {
        homes ??= new Set()
        homes.add(call.home)
      }
      requests += call.requests
    }
    this.homes = homes === undefined ? none : [...homes]
    this.requests = requests
  }

  encode(opaques: Opaques): Buffer {
    const ownKey = this.generations.key(this.server)
    let length = requestLength(ownKey, noBody)
    for (const home of this.homes) length += requestLength(this.generations.key(home), noBody)
    for (const call of this.calls) length += call.length
    const buffer = Buffer.allocUnsafe(length)
    let at = 0
    this.first = opaques.peek()
    for (const call of this.calls) {
      call.encode(buffer, at, opaques, this.generations.current(call.home) ?? noGeneration)
      at += call.length
    }
    for (const home of this.homes) {
      at = writeRequest(buffer, at, Opcode.getQuietly, opaques.next(), this.generations.key(home), noBody)
    }
    this.last = opaques.next()
    writeRequest(buffer, at, Opcode.get, this.last, ownKey, noBody)
    return buffer
  }

  /** Hands an answer to its call; `false` when it belongs to none. Answers come in the order of the requests. */
  answer(answer: Answer): boolean {
    const place = Opaques.distance(this.first, answer.opaque)
    if (place >= this.requests) return this.sawGeneration(place - this.requests, answer)
    let call = this.calls[this.call]
    while (call !== undefined && place >= this.before + call.requests) {
      this.before += call.requests
      this.call += 1
      call = this.calls[this.call]
    }
    if (call === undefined || place < this.before) return false
    call.answer(place - this.before, answer)
    return true
  }

  private sawGeneration(place: number, answer: Answer): boolean {
    if (place > this.homes.length) return false
    const found = answer.status === Status.success
    const generation = found ? readGeneration(answer.buffer, answer.start, answer.end) : undefined
    // A record that is missing got no answer.
    for (; this.answeredHomes < place; this.answeredHomes++) this.sawHome(this.answeredHomes, undefined)
    this.sawHome(place, generation)
    this.answeredHomes = place + 1
    return true
  }

  private sawHome(place: number, generation: Generation | undefined): void {
    this.generations.saw(this.homes[place] ?? this.server, generation)
  }

  settle(): void {
    for (const call of this.calls) call.settle(this.generations.current(call.home))
  }

  fail(problem: Problem): void {
    for (const call of this.calls) call.fail(problem)
  }
}

const none: ReadonlyArray<number> = []
