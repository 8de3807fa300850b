/** The name of the cache's table. Each database has its own definition of it. */
import { Effect } from "effect"
import { CacheError } from "../../../CacheError.js"

export interface Table {
  /** Quoted, with its schema if one was given. On PostgreSQL the layer adds the schema that it finds when it is built. */
  readonly quoted: string
  readonly name: string
}

const part = /^[A-Za-z_][A-Za-z0-9_$]{0,47}$/

/**
 * Reads `name` or `schema.name`. Only letters, digits, `_` and `$` are allowed, at most 48 of them. So two different names
 * never become the same table, neither by quoting nor by PostgreSQL, which cuts names at 63 bytes without a word.
 */
export const parseTable = (name: string): Effect.Effect<Table, CacheError> => {
  const parts = name.split(".")
  const table = parts.at(-1)
  if (table === undefined || parts.length > 2 || !parts.every((one) => part.test(one))) {
    return Effect.fail(
      new CacheError({
        reason: "InvalidOption",
        operation: "layer",
        description: `table ${JSON.stringify(name)} is not a name like "effect_cache" or "schema.effect_cache" (letters, digits, _ and $, at most 48)`
      })
    )
  }
  return Effect.succeed({ quoted: parts.map((one) => `"${one}"`).join("."), name: table })
}
