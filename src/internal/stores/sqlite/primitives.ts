/** The primitives on SQLite, the same inside a transaction and outside. */
import { randomUUID } from "node:crypto"
import { Effect, Option } from "effect"
import type { ByteItem } from "../../../ByteStore.js"
import type { CacheError } from "../../../CacheError.js"
import type { RejectedItem } from "../../../CacheStore.js"
import { isOutage } from "../../outages/outage.js"
import { split } from "../sql/items.js"
import { forEachPage } from "../sql/namespace.js"
import type { Primitives } from "../sql/SqlStore.js"
import type { Runner } from "./runner.js"
import type { NewRow, SqliteStatements } from "./statements.js"

interface Row {
  readonly key: string
  readonly token: string
  /** The driver's kind of bytes. */
  readonly value: ArrayBuffer
}

const pageSize = 1_000
const perStatement = { items: 500, bytes: 16 * 1024 * 1024 }

/** A token is random: a sequence would give the same number again after a rollback, or in a database out of a backup. */
const newRow = (item: ByteItem): NewRow => ({ ...item, token: randomUUID() })

export const primitives = (
  { change, pause, rows }: Runner,
  texts: SqliteStatements,
  namespace: string
): Primitives<string> => {
  const tokenIfChanged = (row: NewRow, text: string): Effect.Effect<Option.Option<string>, CacheError> =>
    Effect.map(change(text), (changed) => (changed > 0 ? Option.some(row.token) : Option.none()))

  const writePart = (part: ReadonlyArray<ByteItem>): Effect.Effect<ReadonlyArray<RejectedItem>, CacheError> =>
    Effect.as(change(texts.write(part.map(newRow))), []).pipe(
      Effect.catchAll((error) => {
        if (isOutage(error)) return Effect.fail(error)
        // it may be the fault of one item, so each is tried alone
        if (part.length > 1)
          return Effect.map(
            Effect.forEach(part, (item) => writePart([item])),
            (each) => each.flat()
          )
        return Effect.succeed(part.map(({ key }) => ({ key, error })))
      })
    )

  return {
    read: (keys) =>
      Effect.map(rows<Row>(texts.read, [JSON.stringify(keys)]), (found) => {
        const stored = new Map(found.map(({ key, token, value }) => [key, { token, bytes: new Uint8Array(value) }]))
        return keys.map((key) => stored.get(key))
      }),

    write: (items) => Effect.map(Effect.forEach(split(items, perStatement), writePart), (rejected) => rejected.flat()),

    add: (key, record) => {
      const row = newRow({ key, record })
      return tokenIfChanged(row, texts.add(row))
    },

    replace: (key, token, record) => {
      const row = newRow({ key, record })
      return tokenIfChanged(row, texts.replace(row, token))
    },

    amend: (key, token, record) => {
      const row = newRow({ key, record })
      return tokenIfChanged(row, texts.amend(row, record, token))
    },

    // the expired ones too: the clock may be set back. They are removed first, as they don't count.
    remove: (keys) => Effect.zipRight(change(texts.removeExpired(keys)), change(texts.remove(keys))),

    clear: forEachPage(
      (last) => rows<Row>(texts.keysOf(namespace, pageSize), [last]),
      (keys) => Effect.zipRight(change(texts.remove(keys)), pause)
    )
  }
}
