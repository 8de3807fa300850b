/**
 * What goes to one server in one write: the requests of all commands of a moment, whatever fiber made them, and last a GET of
 * the namespace's generation. Only that GET is always answered, so its answer ends the pipeline. The generation is read after
 * the items, so no command ever trusts one that another process has already cleared.
 */
import type { Command } from "../commands/Command.js"
import type { Problem } from "../commands/Problem.js"
import { type Generations, noGeneration, readRecord } from "../generation.js"
import type { Answer } from "../protocol/AnswerReader.js"
import { Opcode, Status } from "../protocol/constants.js"
import { noBody, Opaques, requestLength, writeRequest } from "../protocol/request.js"

const none: ReadonlyArray<number> = []

export class Pipeline {
  /** By the watchdog's clock. An answer that comes later is not waited for. */
  deadline = 0
  /** How many bytes `encode` wrote. */
  length = 0
  /** The primary servers that this server stands in for. Their generations are read before its own. */
  private readonly primaries: ReadonlyArray<number>
  private readonly requests: number
  /** The numbers of the first and of the last request. */
  private first = 0
  private last = 0
  /** The place of the command whose answers come now, and how many requests stand before its own. */
  private current = 0
  private before = 0
  private learned = 0

  constructor(
    private readonly commands: ReadonlyArray<Command<unknown>>,
    private readonly server: number,
    private readonly generations: Generations
  ) {
    let primaries: Set<number> | undefined
    let requests = 0
    for (const command of commands) {
      if (command.primary !== server) {
        primaries ??= new Set()
        primaries.add(command.primary)
      }
      requests += command.requests
    }
    this.primaries = primaries === undefined ? none : [...primaries]
    this.requests = requests
  }

  encode(opaques: Opaques): Buffer {
    const ownKey = this.generations.key(this.server)
    let length = requestLength(ownKey, noBody)
    for (const primary of this.primaries) length += requestLength(this.generations.key(primary), noBody)
    for (const command of this.commands) length += command.length
    this.length = length
    const buffer = Buffer.allocUnsafe(length)
    let at = 0
    this.first = opaques.peek()
    for (const command of this.commands) {
      command.encode(buffer, at, opaques, this.generations.current(command.primary) ?? noGeneration)
      at += command.length
    }
    for (const primary of this.primaries) {
      at = writeRequest(buffer, at, Opcode.getQuietly, opaques.next(), this.generations.key(primary), noBody)
    }
    this.last = opaques.next()
    writeRequest(buffer, at, Opcode.get, this.last, ownKey, noBody)
    return buffer
  }

  /** Whether this answer is the last one. */
  endsWith(answer: Answer): boolean {
    return answer.opaque === this.last
  }

  /** Hands an answer to its command; `false` when it belongs to none. Answers come in the order of the requests. */
  answer(answer: Answer): boolean {
    const place = Opaques.distance(this.first, answer.opaque)
    if (place >= this.requests) return this.learn(place - this.requests, answer)
    let command = this.commands[this.current]
    while (command !== undefined && place >= this.before + command.requests) {
      this.before += command.requests
      this.current += 1
      command = this.commands[this.current]
    }
    if (command === undefined || place < this.before) return false
    command.answer(place - this.before, answer)
    return true
  }

  private learn(place: number, answer: Answer): boolean {
    if (place > this.primaries.length) return false
    const isThere = answer.status === Status.success
    const generation = isThere ? readRecord(answer.buffer, answer.start, answer.end) : undefined
    // A record that is missing got no answer.
    for (; this.learned < place; this.learned++) this.generations.learn(this.owner(this.learned), undefined)
    this.generations.learn(this.owner(place), generation)
    this.learned = place + 1
    return true
  }

  /** The server whose generation is read at this place, after all requests of commands. */
  private owner(place: number): number {
    return this.primaries[place] ?? this.server
  }

  settle(): void {
    for (const command of this.commands) command.settle(this.generations.current(command.primary))
  }

  fail(problem: Problem): void {
    for (const command of this.commands) command.fail(problem)
  }
}
