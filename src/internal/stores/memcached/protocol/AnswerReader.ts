/**
 * Cuts what a socket delivers into answers. Each byte is copied at most once: memjs copies all bytes that it has not parsed
 * yet with every chunk, which is quadratic in the size of an answer.
 */
import { answerMagic, headerLength, Opcode, Status } from "./constants.js"
import { describeForeign } from "./foreignAnswer.js"

/** More than memcached's largest item. What says that it is longer does not come from memcached. */
const longestAnswer = 2 ** 30 + 2 ** 20

/** The answer that was just read. One object serves all answers: it and its buffer are valid until the next one is read. */
export class Answer {
  opcode = 0
  status = 0
  opaque = 0
  casHigh = 0
  casLow = 0
  /** Holds the answer: extras from `extras` on, the value from `start` to `end`. */
  buffer: Buffer = Buffer.alloc(0)
  extras = 0
  start = 0
  end = 0
  /** Whether `buffer` is the socket's own, which the next read overwrites. */
  private isLent = false

  /** Whether it answers the first request on a connection. */
  get isHandshake(): boolean {
    return this.opcode === Opcode.noop || this.opcode === Opcode.authenticate
  }

  /**
   * Of an item that is there: a server without compare-and-set gives all items the number 0. Every compare-and-set on it succeeds,
   * so values from before an invalidation would come back.
   */
  get hasNoCas(): boolean {
    return this.casLow === 0 && this.casHigh === 0 && this.status === Status.success
  }

  /** The bytes from `start` to the end of the value. The caller may keep them. */
  keep(start: number): Buffer {
    if (!this.isLent) return this.buffer.subarray(start, this.end)
    const kept = Buffer.allocUnsafe(this.end - start)
    this.buffer.copy(kept, 0, start, this.end)
    return kept
  }

  load(buffer: Buffer, at: number, isLent: boolean): void {
    this.buffer = buffer
    this.isLent = isLent
    this.opcode = buffer[at + 1] ?? 0
    this.status = buffer.readUInt16BE(at + 6)
    this.opaque = buffer.readUInt32BE(at + 12)
    this.casHigh = buffer.readUInt32BE(at + 16)
    this.casLow = buffer.readUInt32BE(at + 20)
    this.extras = at + headerLength
    this.start = this.extras + (buffer[at + 4] ?? 0) + buffer.readUInt16BE(at + 2)
    this.end = this.extras + buffer.readUInt32BE(at + 8)
  }
}

export class AnswerReader {
  private readonly answer = new Answer()
  /** A header, or a whole answer, of which only the first `filled` bytes have arrived. */
  private partial: Buffer | undefined
  private filled = 0
  private stopped = false

  constructor(private readonly onAnswer: (answer: Answer) => void) {}

  /** Drops all bytes after the answer that is being handled. */
  stop(): void {
    this.stopped = true
    this.partial = undefined
  }

  /**
   * Reads the first `length` bytes of a chunk. The chunk may be overwritten afterwards. Throws when the bytes do not come from
   * memcached.
   */
  push(chunk: Buffer, length: number): void {
    let at = 0
    while (at < length && !this.stopped) {
      const whole = this.partial === undefined ? this.begin(chunk, at, length) : 0
      at += whole > 0 ? whole : this.fill(chunk, at, length)
    }
  }

  /** Handles an answer that lies whole in the chunk. Returns its length, or 0 when more bytes have to come. */
  private begin(chunk: Buffer, at: number, end: number): number {
    const available = end - at
    // A text may be shorter than a header: whoever sent it says no more.
    if (chunk[at] !== answerMagic) throw new Error(describeForeign(chunk.subarray(at, end)))
    const length = available < headerLength ? headerLength : answerLength(chunk, at)
    if (available >= length) {
      this.emit(chunk, at, true)
      return length
    }
    this.partial = Buffer.allocUnsafe(length)
    this.filled = 0
    return 0
  }

  private fill(chunk: Buffer, at: number, end: number): number {
    const partial = this.partial
    if (partial === undefined) return 0
    const taken = chunk.copy(partial, this.filled, at, Math.min(end, at + partial.length - this.filled))
    this.filled += taken
    if (this.filled === partial.length) this.completed(partial)
    return taken
  }

  private completed(partial: Buffer): void {
    const length = answerLength(partial, 0)
    if (length > partial.length) {
      this.partial = Buffer.allocUnsafe(length)
      partial.copy(this.partial)
    } else {
      this.partial = undefined
      this.emit(partial, 0, false)
    }
  }

  private emit(buffer: Buffer, at: number, isLent: boolean): void {
    this.answer.load(buffer, at, isLent)
    this.onAnswer(this.answer)
  }
}

const answerLength = (buffer: Buffer, at: number): number => {
  const length = headerLength + buffer.readUInt32BE(at + 8)
  if (length > longestAnswer) throw new Error(describeForeign(buffer.subarray(at)))
  return length
}
