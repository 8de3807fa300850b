/** Gives each statement the name that it is prepared with. */
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
