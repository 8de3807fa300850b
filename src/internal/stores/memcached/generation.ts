/**
 * A namespace's generation on one server: 64 random bits. They stand in a record of their own and in front of every item. An
 * item counts only while the two agree, so writing one new generation clears the whole namespace.
 */
import { randomFillSync } from "node:crypto"
import { spelled } from "../spelled.js"

/** Two signed halves: V8 keeps such a number without an object for it. */
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
    return new Generation(this.high ^ that.high, this.low ^ that.low)
  }
}

export const generationLength = 8

/** No item and no record has this generation. Whatever is written under it is dead. */
export const noGeneration = new Generation(0, 0)

// Not Effect's Random: two processes with the same seed must not make the same generation.
export const randomGeneration = (): Generation => {
  const bytes = randomFillSync(Buffer.alloc(generationLength))
  const generation = new Generation(bytes.readInt32BE(0), bytes.readInt32BE(4))
  return generation.equals(noGeneration) ? randomGeneration() : generation
}

export const writeGeneration = (into: Buffer, at: number, generation: Generation): void => {
  into.writeInt32BE(generation.high, at)
  into.writeInt32BE(generation.low, at + 4)
}

/** The generation in front of an item. */
export const readGeneration = (from: Buffer, start: number, end: number): Generation | undefined =>
  end - start < generationLength ? undefined : new Generation(from.readInt32BE(start), from.readInt32BE(start + 4))

/** The generation in its own record; `undefined` where another program wrote it: then it is missing. */
export const readRecord = (from: Buffer, start: number, end: number): Generation | undefined => {
  const generation = end - start === generationLength ? readGeneration(from, start, end) : undefined
  return generation?.equals(noGeneration) === false ? generation : undefined
}

/** Of the two names in a generation's key, which has 250 bytes at most, as every key. */
const longestName = 110

/**
 * The key of a generation's record.
 *
 * @param primary the server that the one with the record stands in for; `undefined` for its own keys
 */
export const generationKey = (namespace: string, primary: string | undefined): string =>
  `effect-cached!generation:${spelled(namespace, longestName)}${primary === undefined ? "" : `@${spelled(primary, longestName)}`}`

/** The generations that one server is known to have: its own, and one for each server that it stands in for. */
export class Generations {
  private own: Generation | undefined
  private readonly standIns = new Map<number, Generation>()

  /** @param keys of the generations' records on this server, by primary server */
  constructor(
    private readonly server: number,
    private readonly keys: ReadonlyArray<string>
  ) {}

  /** The key of the record on this server. */
  key(primary: number): string {
    return this.keys[primary] ?? ""
  }

  /** The generation that an item of this primary server has to carry here. */
  current(primary: number): Generation | undefined {
    if (primary === this.server || this.own === undefined) return this.own
    const standIn = this.standIns.get(primary)
    return standIn === undefined ? undefined : this.own.with(standIn)
  }

  /** Takes what a record was seen to hold; `undefined` if it is missing, or not to be trusted any more. */
  learn(primary: number, generation: Generation | undefined): void {
    if (primary === this.server) this.own = generation
    else if (generation === undefined) this.standIns.delete(primary)
    else this.standIns.set(primary, generation)
  }

  /**
   * Whether items of this primary server may be read here. On a stand-in server they may once its generation was renewed in the
   * present outage, so no item of an earlier outage counts.
   */
  isPreparedFor(primary: number): boolean {
    return primary === this.server || this.standIns.has(primary)
  }
}
