/**
 * Says what a schema refuses: the path and what was expected there. Effect's own formatters quote the value, and so may the
 * messages of a schema's author; neither belongs into a log.
 */
import { Array as Arr, type ParseResult } from "effect"
import { type PathStep, printPath, withoutData } from "./valuePath.js"

/** How many parts are described, and how much of each type is printed. */
const mostParts = 3
const longestType = 100

const stepOf = (key: PropertyKey): PathStep => (typeof key === "symbol" ? { part: "[symbol]" } : key)

const sentence = (path: ReadonlyArray<PathStep>, problem: string): string =>
  `value${withoutData(printPath(path))} ${problem}`

const expected = (ast: unknown): string => {
  const type = String(ast)
  return `is not the expected ${type.length > longestType ? `${type.slice(0, longestType)}…` : type}`
}

const parts = (issue: ParseResult.ParseIssue, path: ReadonlyArray<PathStep>): ReadonlyArray<string> => {
  switch (issue._tag) {
    case "Pointer":
      return parts(issue.issue, [...path, ...Arr.ensure(issue.path).map(stepOf)])
    case "Composite":
      return Arr.ensure(issue.issues).flatMap((inner) => parts(inner, path))
    case "Refinement":
    case "Transformation":
      return parts(issue.issue, path)
    case "Type":
      return [sentence(path, expected(issue.ast))]
    case "Missing":
      return [sentence(path, "is missing")]
    case "Unexpected":
      return [sentence(path, "is not expected")]
    case "Forbidden":
      return [sentence(path, "can't be encoded in this way")]
  }
}

export const describeIssue = (issue: ParseResult.ParseIssue): string => {
  const all = [...new Set(parts(issue, []))]
  const more = all.length - mostParts
  return `the schema refuses: ${all.slice(0, mostParts).join("; ")}${more > 0 ? `; and ${more} more` : ""}`
}
