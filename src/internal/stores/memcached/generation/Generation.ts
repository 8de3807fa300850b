/**
 * A namespace's generation on one server: 64 random bits. They stand in a record of their own and in front of every item. An
 * item counts only while the two agree, so writing one new generation clears the whole namespace.
 */
import { createHash, randomFillSync } from "node:crypto"

export class Generation {
  constructor(
    readonly high: number,
    readonly low: number
  ) {}

  equals(that: Generation): boolean {
    return this.high === that.high && this.low === that.low
  }

  /** The generation of an item that depends on both. It changes with either. */
  with(that: Generation): Generation {
    return new Generation((this.high ^ that.high) >>> 0, (this.low ^ that.low) >>> 0)
  }
}

export const generationLength = 8

/** No item and no record has this generation. Whatever is written under it is dead. */
export const noGeneration = new Generation(0, 0)

// Not Effect's Random: two processes with the same seed must not make the same generation.
export const randomGeneration = (): Generation => {
  const bytes = randomFillSync(Buffer.alloc(generationLength))
  const generation = new Generation(bytes.readUInt32BE(0), bytes.readUInt32BE(4))
  return generation.equals(noGeneration) ? randomGeneration() : generation
}

export const writeGeneration = (into: Buffer, at: number, generation: Generation): void => {
  into.writeUInt32BE(generation.high, at)
  into.writeUInt32BE(generation.low, at + 4)
}

/** The generation in front of an item. */
export const readGeneration = (from: Buffer, start: number, end: number): Generation | undefined =>
  end - start < generationLength ? undefined : new Generation(from.readUInt32BE(start), from.readUInt32BE(start + 4))

/** The generation in its own record; `undefined` where another program wrote it: then it is missing. */
export const readRecord = (from: Buffer, start: number, end: number): Generation | undefined => {
  const generation = end - start === generationLength ? readGeneration(from, start, end) : undefined
  return generation?.equals(noGeneration) === false ? generation : undefined
}

const longestReadable = 120

const spelled = (text: string): string => {
  const readable = encodeURIComponent(text)
  return readable.length <= longestReadable
    ? readable
    : `${readable.slice(0, longestReadable - 43)}${createHash("sha256").update(text).digest("base64url")}`
}

/**
 * The key of a generation's record.
 *
 * @param primary the server that the one with the record stands in for; `undefined` for its own keys
 */
export const generationKey = (namespace: string, primary: string | undefined): string =>
  `effect-cached!generation:${spelled(namespace)}${primary === undefined ? "" : `@${spelled(primary)}`}`
