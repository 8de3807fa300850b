/** The keys of one namespace. */
import { Effect } from "effect"
import { keyPrefix } from "../../keys/finishKey.js"

/** The namespace as it stands in keys: between their first two colons. */
export const namespaceInKeys = (namespace: string): string => keyPrefix(0, namespace).split(":")[1] ?? ""

/** Uses all keys page by page, in order. The next page begins after the last key of the page before. */
export const forEachPage = <E, E2>(
  pageAfter: (last: string) => Effect.Effect<ReadonlyArray<{ readonly key: string }>, E>,
  use: (keys: ReadonlyArray<string>) => Effect.Effect<unknown, E2>,
  last = ""
): Effect.Effect<void, E | E2> =>
  Effect.suspend(() =>
    Effect.flatMap(pageAfter(last), (rows) => {
      const next = rows.at(-1)
      if (next === undefined) return Effect.void
      return Effect.zipRight(use(rows.map(({ key }) => key)), forEachPage(pageAfter, use, next.key))
    })
  )
