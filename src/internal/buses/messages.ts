/**
 * The texts on a bus: `k` and the keys, separated by spaces; `a` for all keys; `.` as a sign of life; `?` and a random text, by
 * which a subscriber hears that it is heard. A finished key has no space.
 */

export type Heard = ReadonlyArray<string> | "all"

const all = "a"
const nothing: ReadonlyArray<string> = []

export const signOfLife = "."

export const question = (id: string): string => `?${id}`

/** @param longest how many bytes a text may have: of more keys than fit, the message says that any may have changed */
export const textOf = (keys: Heard, longest: number): string => {
  if (keys === "all") return all
  const text = `k${keys.join(" ")}`
  // Finished keys are ASCII.
  return text.length <= longest ? text : all
}

/** A text that nobody of this version has written may mean anything. */
export const heardIn = (text: string): Heard => {
  switch (text[0]) {
    case "k":
      return text.slice(1).split(" ")
    case ".":
    case "?":
      return nothing
    default:
      return "all"
  }
}
