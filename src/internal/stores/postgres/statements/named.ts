/** Gives each statement the name that it is prepared with, and makes the query of it that the driver takes. */
import { createHash } from "node:crypto"

/** A statement, and the name under which it is prepared. */
export interface Statement {
  readonly name: string
  readonly text: string
}

/** The name holds a hash of the text: two layers on one pool may have different tables, two releases different statements. */
const nameOf = (kind: string, text: string) =>
  `effect_cached_${kind}_${createHash("sha256").update(text).digest("hex").slice(0, 16)}`

export const named = <Kind extends string>(
  texts: { readonly [K in Kind]: string }
): {
  readonly [K in Kind]: Statement
} => {
  const entries = Object.entries<string>(texts).map(([kind, text]) => [kind, { name: nameOf(kind, text), text }])
  // `fromEntries` forgets the keys
  return Object.fromEntries(entries) as { readonly [K in Kind]: Statement }
}

const asText = (text: string): string => text
/** Every column comes as the server's text. The program's own parsers, those of `pg.types` and of the client, are not asked. */
const types = { getTypeParser: () => asText }

/**
 * What `pg` takes in place of a text, and `@effect/sql-pg` passes on to it.
 *
 * @param plan a number in the name of a prepared statement; not prepared without it
 */
export const queryOf = ({ name, text }: Statement, plan: number | undefined): string =>
  (plan === undefined ? { text, types } : { name: `${name}_${plan}`, text, types }) as unknown as string
