/** Keys and records as the tests of a SQL store write them. */

/** A key of the store's namespace. */
export const key = (name: string | number) => `v1:app:${name}`

export const record = (text: string, lifetime = 60_000) => ({ bytes: new TextEncoder().encode(text), lifetime })

export const text = (stored: { readonly bytes: Uint8Array } | undefined) =>
  stored === undefined ? undefined : new TextDecoder().decode(stored.bytes)
