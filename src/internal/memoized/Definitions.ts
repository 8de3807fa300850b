/**
 * The functions that a layer serves, by their keys. Two functions under one key are served each other's values, and nobody notices.
 *
 * A program may make one function again and again, with another closure each time. So functions are compared by their name and
 * text. Only these are kept, so that the functions themselves can be collected.
 */
export interface FunctionText {
  readonly name: string
  readonly text: string
}

const mostRemembered = 1_000

const longestShown = 80

const shown = ({ name, text }: FunctionText): string => {
  const line = text.replace(/\s+/g, " ")
  const head = line.length > longestShown ? `${line.slice(0, longestShown)}…` : line
  return name === "" ? head : `${name}: ${head}`
}

export class Definitions {
  private readonly byKey = new Map<string, FunctionText>()
  /** Keys that a warning was given for. */
  private readonly shared = new Set<string>()

  /**
   * Returns a warning, the first time that the key has another function.
   *
   * @param key of a call without arguments
   * @param shownKey without what may be an id
   */
  add(key: string, shownKey: string, definition: FunctionText): string | undefined {
    const known = this.byKey.get(key)
    if (known === undefined) {
      if (this.byKey.size >= mostRemembered) this.byKey.clear()
      this.byKey.set(key, definition)
      return undefined
    }
    if ((known.text === definition.text && known.name === definition.name) || this.shared.has(key)) return undefined
    if (this.shared.size >= mostRemembered) this.shared.clear()
    this.shared.add(key)
    return (
      `Two functions have the key ${JSON.stringify(shownKey)}, so each may be served the other's values: ` +
      `${shown(known)} and ${shown(definition)}`
    )
  }
}
