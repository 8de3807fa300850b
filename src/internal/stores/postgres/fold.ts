/** Folds the changes that transactions left into the records beside them, as the purge does from time to time. */
import { Effect } from "effect"
import type { CacheError } from "../../../CacheError.js"
import { forEachPage } from "../sql/namespace.js"
import { untilFewer } from "../sql/purgeSchedule.js"
import { maxKeys, notRemoved } from "./batches/batches.js"
import type { Run } from "./connection.js"
import { reading } from "./rows.js"
import type { Statements } from "./statements/statements.js"
import { sharedKey } from "./table.js"

const pageSize = 1_000
const thinnedAtOnce = 20_000

type KeyRow = { readonly key: string }

/** The ids of the changes that stand under `itsKey`: those to a whole namespace. */
export const sharedChanges = (run: Run, statements: Statements, itsKey: string) =>
  reading(run<{ readonly change: string }>(statements.sharedChanges, [itsKey]), (rows) =>
    rows.map(({ change }) => change)
  )

/** Folds the changes of all keys, and those to whole namespaces. */
export const foldAll = (run: Run, statements: Statements): Effect.Effect<void, CacheError> => {
  const thin = untilFewer(
    thinnedAtOnce,
    reading(run<{ readonly rows: string }>(statements.thin, [thinnedAtOnce]), ([row]) => Number(row?.rows))
  )

  const foldKeys = forEachPage(
    (last) => run<KeyRow>(statements.changedKeys, [last, maxKeys]),
    (keys) =>
      Effect.filterOrFail(
        reading(run<{ readonly kept: string }>(statements.fold, [keys.join(" ")]), ([row]) => Number(row?.kept)),
        (kept) => kept === 0,
        notRemoved
      )
  )

  /** Only what stood there before the removal began is forgotten after it. */
  const foldNamespace = (namespace: string) => {
    const itsKey = sharedKey(namespace)
    return Effect.flatMap(sharedChanges(run, statements, itsKey), (changes) =>
      forEachPage(
        (last) => run<KeyRow>(statements.removeHidden, [namespace, last, itsKey, pageSize]),
        () => Effect.void
      ).pipe(Effect.zipRight(run(statements.forgetShared, [namespace, itsKey, changes])))
    )
  }

  const sharedKeys = reading(run<KeyRow>(statements.sharedKeys, []), (rows) => rows.map(({ key }) => key))
  const foldNamespaces = Effect.flatMap(sharedKeys, (keys) =>
    Effect.forEach(keys, (key) => foldNamespace(key.slice(key.indexOf(" ") + 1)), { discard: true })
  )
  return Effect.all([thin, foldKeys, foldNamespaces], { discard: true })
}
