/**
 * What is known of the calls that a function has had, by their only argument: printing a key costs more than all the rest
 * of a hit.
 *
 * Bounded, and meant for arguments that come again. With more of them than there is room, forgetting and remembering at
 * every call costs several times the printing that it saves (measured at 100,000 uniform keys); so a full memory stays as
 * it is, and only starts over when it has been of no use for long: the arguments in demand may be others by then.
 *
 * What can go out of date is bounded by what has not: each new argument makes it look at a few old ones.
 */

/** So many calls for each place, before a memory that is full starts over. */
const patience = 8

/** With so many looked at for each new one, at most half as many are out of date as are not. */
const lookedAt = 4

/** Stands for the argument of a call without any; a Map can't tell a missing one from `undefined`. */
const none = Symbol("no argument")

/** What a Map can tell apart and need not keep alive. -0 it takes for 0; `undefined` is not worth a case. */
const isPlain = (argument: unknown): boolean =>
  typeof argument === "string" || (typeof argument === "number" && (argument !== 0 || Object.is(argument, 0)))

const keyOf = (args: ReadonlyArray<unknown>): unknown => {
  if (args.length > 1) return undefined
  return args.length === 0 ? none : isPlain(args[0]) ? args[0] : undefined
}

export class ArgumentMemory<Known> {
  private readonly known = new Map<unknown, Known>()
  private sweep = this.known.entries()
  private refused = 0

  /**
   * @param room how many arguments are remembered
   * @param isGone whether what is known is out of date, and for good
   */
  constructor(
    private readonly room: number,
    private readonly isGone?: (known: Known) => boolean
  ) {}

  get size(): number {
    return this.known.size
  }

  get(args: ReadonlyArray<unknown>): Known | undefined {
    if (args.length === 1) {
      const argument = args[0]
      return argument === 0 ? this.known.get(keyOf(args)) : this.known.get(argument)
    }
    return args.length === 0 ? this.known.get(none) : undefined
  }

  remember(args: ReadonlyArray<unknown>, known: Known): void {
    const key = keyOf(args)
    if (key === undefined) return
    if (this.known.has(key)) {
      this.known.set(key, known)
      return
    }
    if (this.isGone !== undefined) this.forgetSome(this.isGone)
    if (this.known.size >= this.room && ++this.refused > patience * this.room) {
      this.known.clear()
      this.refused = 0
    }
    if (this.known.size < this.room) this.known.set(key, known)
  }

  private forgetSome(isGone: (known: Known) => boolean): void {
    for (let looked = 0; looked < lookedAt; looked++) {
      const { done, value } = this.sweep.next()
      if (done) this.sweep = this.known.entries()
      else if (isGone(value[1])) this.known.delete(value[0])
    }
  }
}
