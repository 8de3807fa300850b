/** Removes a namespace page by page, so that no statement locks, and no transaction holds, more than one page. */
import { Effect } from "effect"
import type { CacheError } from "../../../CacheError.js"
import type { Run } from "../sql/connection.js"
import type { Outside } from "./outsideTransaction.js"
import type { Statements } from "./statements.js"

const pageSize = 1_000

export const clear = (options: {
  readonly texts: Statements
  readonly run: Run
  readonly own: Outside
  readonly namespace: string
  readonly sharedKey: string
}): Effect.Effect<void, CacheError> => {
  const { namespace, own, run, sharedKey, texts } = options
  const after = (last: string): Effect.Effect<void, CacheError> =>
    Effect.flatMap(run<{ readonly key: string }>(texts.keysOf, [namespace, last, sharedKey, pageSize]), (rows) => {
      const next = rows.at(-1)
      if (next === undefined) return Effect.void
      return Effect.zipRight(
        own.remove(rows.map((row) => row.key)),
        Effect.suspend(() => after(next.key))
      )
    })
  return Effect.gen(function* () {
    const changes = yield* own.sharedChanges(sharedKey)
    yield* after("")
    // only now: until its records are gone, an earlier clear in a transaction must keep hiding them
    if (changes.length > 0) yield* run(texts.forgetChanges, [sharedKey, changes.map((row) => row.change)])
  })
}
