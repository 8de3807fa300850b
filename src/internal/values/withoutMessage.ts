/** What is left of a foreign error once nothing in it can quote a value: its kind, its code and where it was thrown. */

const textOf = (thrown: unknown, property: string): string | undefined => {
  if (typeof thrown !== "object" || thrown === null) return undefined
  const found: unknown = Reflect.get(thrown, property)
  return typeof found === "string" ? found : undefined
}

/**
 * The lines of a stack after the message, which may have several lines itself. Without the message nobody knows where they begin.
 */
const frames = ({ message, stack = "" }: Error): string => {
  const head = message === "" ? "\n" : `: ${message}\n`
  const start = stack.indexOf(head)
  return start === -1 ? "" : stack.slice(start + head.length - 1)
}

const deepest = 5

class Redacted extends Error {
  override readonly name: string
  readonly code: string | undefined

  constructor(thrown: unknown, depth: number) {
    const cause = typeof thrown === "object" && thrown !== null && "cause" in thrown ? thrown.cause : undefined
    super("", cause === undefined || depth === deepest ? {} : { cause: new Redacted(cause, depth + 1) })
    this.name = textOf(thrown, "name") ?? textOf(thrown, "_tag") ?? `a thrown ${typeof thrown}`
    this.code = textOf(thrown, "code")
    this.stack = thrown instanceof Error ? `${this.name}${frames(thrown)}` : this.name
  }
}

/** Messages are left out, because an error of a getter, a transformation or a driver may quote what it met. */
export const withoutMessage = (thrown: unknown): Error & { readonly code?: string | undefined } => {
  try {
    return new Redacted(thrown, 0)
  } catch {
    // A property of the error throws itself.
    return new Error("an error that can't be read")
  }
}
