/** Reads from the text of a function how many arguments it can see. What is not understood is no number: it might see any. */

/** All that stands before a list of parameters: `async function* name(`, `name(`, `async (`. Computed names are not understood. */
const beforeParameters = /^(?:(?:async|function|get|set)\b\s*)*\*?\s*[#$\p{ID_Continue}]*\s*\(/u

/** A parameter without brackets: `name =>`, `async name =>`. */
const loneParameter = /^(?:async\s+)?[$\p{ID_Continue}]+\s*=>/u

/**
 * What lets a function see more than its parameters, wherever the word stands. The text of a native or bound function says nothing.
 */
const seesMore = /\barguments\b|\beval\b|\[native code\]/

/** The index of the last character of the text that begins at `start`; -1 if it is a template with code in it. */
const endOfText = (source: string, start: number): number => {
  const quote = source[start]
  for (let at = start + 1; at < source.length; at++) {
    const character = source[at]
    if (character === "\\") at++
    else if (character === quote) return at
    else if (quote === "`" && character === "$") return -1
  }
  return -1
}

/** The index of the last character of the comment that begins at `start`; -1 if it is no comment. */
const endOfComment = (source: string, start: number): number => {
  const kind = source[start + 1]
  if (kind === "/") return source.indexOf("\n", start)
  const end = kind === "*" ? source.indexOf("*/", start + 2) : -1
  return end < 0 ? -1 : end + 1
}

/** @param start the index after the bracket that opens the list */
const countIn = (source: string, start: number): number | undefined => {
  let depth = 0
  let count = 0
  let isEmpty = true
  for (let at = start; at < source.length; at++) {
    // The index is below the length.
    const character = source[at] as string
    if (/\s/.test(character)) continue
    if (character === "/") {
      at = endOfComment(source, at)
      if (at < 0) return undefined
    } else if (depth === 0 && (character === "," || character === ")")) {
      if (!isEmpty) count++
      if (character === ")") return count
      isEmpty = true
    } else if (depth === 0 && (character === "=" || character === ".")) {
      return undefined
    } else {
      isEmpty = false
      if ("([{".includes(character)) depth++
      else if (")]}".includes(character)) depth--
      else if ("\"'`".includes(character)) {
        at = endOfText(source, at)
        if (at < 0) return undefined
      }
    }
  }
  return undefined
}

/**
 * The number of parameters of a function that sees no other arguments. `undefined` if one of them has a default or takes the rest,
 * if the function's text has the word `arguments` in it, or if the text is not understood.
 */
export const countParameters = (f: (...args: never) => unknown): number | undefined => {
  const source = Function.prototype.toString.call(f)
  if (seesMore.test(source)) return undefined
  if (loneParameter.test(source)) return 1
  const head = beforeParameters.exec(source)
  return head === null ? undefined : countIn(source, head[0].length)
}
