/** The six primitives on SQLite, the same inside a transaction and outside. */
import { randomUUID } from "node:crypto"
import { Effect, Option } from "effect"
import type { ByteItem, ByteRecord, StoredBytes } from "../../../ByteStore.js"
import type { CacheError } from "../../../CacheError.js"
import type { RejectedItem } from "../../../CacheStore.js"
import { isOutage } from "../../outages/outage.js"
import type { Statements } from "./connection.js"
import type { NewRow, SqliteStatements } from "./statements.js"

interface Row {
  readonly key: string
  readonly token: string
  /** The driver's kind of bytes. */
  readonly value: ArrayBuffer
}

const clearedAtOnce = 1_000
const writtenAtOnce = 500
const bytesAtOnce = 16 * 1024 * 1024

const pagesOf = (items: ReadonlyArray<ByteItem>): ReadonlyArray<ReadonlyArray<ByteItem>> => {
  const pages: Array<Array<ByteItem>> = []
  let bytes = 0
  for (const item of items) {
    const page = pages.at(-1)
    bytes += item.record.bytes.byteLength
    if (page !== undefined && page.length < writtenAtOnce && bytes <= bytesAtOnce) page.push(item)
    else {
      pages.push([item])
      bytes = item.record.bytes.byteLength
    }
  }
  return pages
}

/**
 * A token is random, not a number that grows: a sequence would give a number that was rolled back a second time, and one
 * out of a backup as well.
 */
const newRow = (item: ByteItem): NewRow => ({ ...item, token: randomUUID() })

export const primitives = ({ change, pause, rows }: Statements, texts: SqliteStatements, namespace: string) => {
  const tokenIfChanged = (row: NewRow, text: string): Effect.Effect<Option.Option<string>, CacheError> =>
    Effect.map(change(text), (changed) => (changed > 0 ? Option.some(row.token) : Option.none()))

  const writePage = (page: ReadonlyArray<ByteItem>): Effect.Effect<ReadonlyArray<RejectedItem>, CacheError> =>
    Effect.as(change(texts.write(page.map(newRow))), []).pipe(
      Effect.catchAll((error) => {
        if (isOutage(error)) return Effect.fail(error)
        // it may be the fault of one of them
        if (page.length > 1)
          return Effect.map(
            Effect.forEach(page, (item) => writePage([item])),
            (each) => each.flat()
          )
        return Effect.succeed(page.map(({ key }) => ({ key, error })))
      })
    )

  const clearAfter = (last: string): Effect.Effect<void, CacheError> =>
    Effect.flatMap(rows<Row>(texts.keysOf(namespace, clearedAtOnce), [last]), (found) => {
      const next = found.at(-1)
      if (next === undefined) return Effect.void
      return change(texts.remove(found.map((row) => row.key))).pipe(
        Effect.zipRight(found.length < clearedAtOnce ? Effect.void : Effect.zipRight(pause, clearAfter(next.key)))
      )
    })

  return {
    read: (keys: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<StoredBytes | undefined>, CacheError> =>
      Effect.map(rows<Row>(texts.read, [JSON.stringify(keys)]), (found) => {
        const stored = new Map(found.map(({ key, token, value }) => [key, { token, bytes: new Uint8Array(value) }]))
        return keys.map((key) => stored.get(key))
      }),

    write: (items: ReadonlyArray<ByteItem>) =>
      Effect.map(Effect.forEach(pagesOf(items), writePage), (rejected) => rejected.flat()),

    add: (key: string, record: ByteRecord) => {
      const row = newRow({ key, record })
      return tokenIfChanged(row, texts.add(row))
    },

    replace: (key: string, token: string, record: ByteRecord) => {
      const row = newRow({ key, record })
      return tokenIfChanged(row, texts.replace(row, token))
    },

    // the expired ones too, though nobody sees them: the clock may be set back
    remove: (keys: ReadonlyArray<string>) =>
      Effect.zipRight(change(texts.removeExpired(keys)), change(texts.remove(keys))),

    clear: Effect.suspend(() => clearAfter(""))
  }
}

export type Primitives = ReturnType<typeof primitives>
