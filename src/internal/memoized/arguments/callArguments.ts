/**
 * The arguments of calls: which of them their function sees, and what is known of earlier calls with them. `ids.map(f)` and
 * `Effect.forEach(ids, f)` pass an index too. A function that does not see the index has the same value without it, so the index
 * must be no part of the key.
 */
import { countParameters } from "./countParameters.js"

export type Arguments = ReadonlyArray<unknown>

export class Parameters {
  /** So many arguments make the key at most. */
  private most: number
  private isCertain = false

  constructor(private readonly f: (...args: never) => unknown) {
    this.most = f.length
  }

  /** The arguments that the function sees; all of them, if that is not certain. */
  seen(args: Arguments): Arguments {
    return args.length <= this.most ? args : this.withoutSurplus(args)
  }

  /** Reads the function's text, at the first call with more arguments than its `length`. */
  private withoutSurplus(args: Arguments): Arguments {
    if (!this.isCertain) {
      // `length` leaves out a parameter with a default, and all after it.
      if (countParameters(this.f) !== this.f.length) this.most = Number.POSITIVE_INFINITY
      this.isCertain = true
    }
    return args.slice(0, this.most)
  }
}

/** Longer strings are not remembered: they would stay in memory as long as the function does. */
const longestText = 200

/** V8 copies a text this short where it is cut out of a longer one. A longer piece is a reference into that text. */
const longestCopied = 12

/** The text in memory of its own, so that remembering a piece does not keep the text that it was cut out of. */
export const withOwnMemory = (text: string): string => (text.length <= longestCopied ? text : text.split("").join(""))

/** The Map's key for a call without arguments. */
const none = Symbol("no argument")

/** The Map's key for a call; `undefined` if the call is not remembered. -0 is not, because a Map takes it for 0. */
const keyOf = (args: Arguments): unknown => {
  if (args.length === 0) return none
  const argument = args[0]
  if (args.length > 1) return undefined
  if (typeof argument === "string") return argument.length <= longestText ? argument : undefined
  return typeof argument === "number" && !Object.is(argument, -0) ? argument : undefined
}

/**
 * Remembers what is known of earlier calls of a function, by their only argument: the entry in a local store, else the key.
 * Printing a key costs more than the rest of a memory hit, and a twentieth of a hit on a server. A bounded Map of short strings and
 * numbers; it is cleared when it is full.
 */
export class ArgumentMemory<Known> {
  private readonly known = new Map<unknown, Known>()

  /** @param room how many arguments are remembered at most */
  constructor(private readonly room: number) {}

  get size(): number {
    return this.known.size
  }

  /** Whether a call with these arguments is remembered. */
  takes(args: Arguments): boolean {
    return keyOf(args) !== undefined
  }

  get(args: Arguments): Known | undefined {
    const key = keyOf(args)
    return key === undefined ? undefined : this.known.get(key)
  }

  remember(args: Arguments, known: Known): void {
    const key = keyOf(args)
    if (key === undefined) return
    if (this.known.size >= this.room && !this.known.has(key)) this.known.clear()
    this.known.set(typeof key === "string" ? withOwnMemory(key) : key, known)
  }
}
