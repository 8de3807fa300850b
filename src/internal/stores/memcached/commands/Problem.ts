/** Why a command has no result. It becomes a `CacheError` where the operation and the key are known. */
import type { Answer } from "../protocol/AnswerReader.js"
import { Status } from "../protocol/constants.js"

export class Problem extends Error {
  constructor(
    readonly reason: "Unavailable" | "Timeout" | "StoreFailed" | "TooLarge",
    message: string,
    options?: ErrorOptions
  ) {
    super(message, options)
  }
}

/** The server hung up without a word. */
export class Closed extends Problem {}

/** The server answers, but can't keep what the cache promises. No other connection mends that. */
export class Unfit extends Problem {}

export const withoutCas = (): Unfit =>
  new Unfit(
    "StoreFailed",
    "it keeps no compare-and-set numbers (started with -C or --disable-cas), and without them old values would come back after an " +
      "invalidation: start it without that flag"
  )

const texts: Record<number, string> = {
  [Status.notStored]: "the server did not store the item",
  [Status.authenticationFailed]: "the server wants a user and a password, or other ones",
  [Status.outOfMemory]: "the server has no memory left for the item"
}

/** What an unexpected answer means. */
export const problemOf = (answer: Answer): Problem => {
  if (answer.status === Status.tooLarge) return new Problem("TooLarge", "the value is over the server's item size")
  const said = answer.buffer.toString("latin1", answer.start, Math.min(answer.end, answer.start + 100))
  const text = texts[answer.status] ?? `the server answered with status 0x${answer.status.toString(16)}`
  return new Problem("StoreFailed", said === "" ? text : `${text} (${said})`)
}
