/**
 * What is known of the calls that a function has had, by their only argument: printing a key costs more than all the rest of a
 * hit. A bounded Map of plain, short arguments; it is cleared when it is full.
 */

/** A long text costs more to keep than to print, and would stay in memory for as long as the function does. */
const longestText = 200

/** Stands for the argument of a call without any; a Map can't tell a missing one from `undefined`. */
const none = Symbol("no argument")

/** The Map's key for a call; `undefined` where it is not worth remembering. A Map takes -0 for 0. */
const keyOf = (args: ReadonlyArray<unknown>): unknown => {
  if (args.length === 0) return none
  const argument = args[0]
  if (args.length > 1) return undefined
  if (typeof argument === "string") return argument.length <= longestText ? argument : undefined
  return typeof argument === "number" && !Object.is(argument, -0) ? argument : undefined
}

export class ArgumentMemory<Known> {
  private readonly known = new Map<unknown, Known>()

  /** @param room how many arguments are remembered at most */
  constructor(private readonly room: number) {}

  get size(): number {
    return this.known.size
  }

  get(args: ReadonlyArray<unknown>): Known | undefined {
    const key = keyOf(args)
    return key === undefined ? undefined : this.known.get(key)
  }

  remember(args: ReadonlyArray<unknown>, known: Known): void {
    const key = keyOf(args)
    if (key === undefined) return
    if (this.known.size >= this.room && !this.known.has(key)) this.known.clear()
    this.known.set(key, known)
  }
}
