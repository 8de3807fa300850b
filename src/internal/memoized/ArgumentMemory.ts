/**
 * Remembers what is known of earlier calls of a function, by their only argument: the entry in a local store, else the key. Printing
 * a key costs more than the rest of a memory hit, and a twentieth of a hit on a server. A bounded Map of short strings and numbers;
 * it is cleared when it is full.
 */

/** Longer strings are not remembered: they would stay in memory as long as the function does. */
const longestText = 200

/** The Map's key for a call without arguments. */
const none = Symbol("no argument")

/** The Map's key for a call; `undefined` if the call is not remembered. -0 is not, because a Map takes it for 0. */
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
