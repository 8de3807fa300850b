/** What goes wrong on memcached, as a `CacheError`. */
import { CacheError } from "../../../CacheError.js"
import { Refusal } from "./client/Refusal.js"
import type { Problem } from "./commands/Problem.js"

export type Operation = "read" | "write" | "add" | "replace" | "remove" | "clear"

export const cacheError = (operation: Operation, problem: Problem, key?: string): CacheError => {
  if (problem instanceof Refusal) return problem.error
  const { cause, message: description, reason } = problem
  return new CacheError({ reason, operation, description, key, cause })
}

export const invalidKey = (operation: Operation, key: string): CacheError =>
  new CacheError({
    reason: "InvalidKey",
    operation,
    key,
    description: "a key for memcached has 1 to 250 bytes of printable ASCII"
  })
