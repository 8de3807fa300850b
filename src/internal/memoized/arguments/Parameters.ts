/**
 * Which arguments of a call its function sees. `ids.map(f)` and `Effect.forEach(ids, f)` pass an index too. A function that does not
 * see the index has the same value without it, so the index must be no part of the key.
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
