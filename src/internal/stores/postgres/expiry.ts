/**
 * When a record ends: exactly in `expires_at`, which every read asks, and roughly in `purge_at`, which the index of the
 * purge covers.
 *
 * An update that changes no indexed column may stay on its page and needs no index entry at all (HOT:
 * src/backend/access/heap/README.HOT in PostgreSQL's sources). A record that is written again has a new `expires_at` each
 * time; `purge_at` is that moment rounded up to a power of two of seconds, between a sixteenth and an eighth of the time to
 * live, and mostly stays what it was. Rows may outlive their end by so much, and a write takes the server about two thirds
 * of what it took.
 */

/** From milliseconds, null for ever. */
export const expiry = (lifetime: string): string =>
  `CASE WHEN ${lifetime} IS NULL THEN 'infinity'::timestamptz ELSE clock_timestamp() + ${lifetime} * interval '1 millisecond' END`

/** In seconds. By logarithms of floats: those of `numeric` would take longer than the rest of a write. */
const grain = (lifetime: string) => `2::float8 ^ (floor(ln(greatest(${lifetime}, 1) / 1000) / ln(2::float8)) - 3)`

const purgeTime = (lifetime: string): string =>
  `CASE WHEN ${lifetime} IS NULL THEN 'infinity'::timestamptz ELSE to_timestamp(ceil(date_part('epoch', clock_timestamp() + ${lifetime} * interval '1 millisecond') / (${grain(lifetime)})) * (${grain(lifetime)})) END`

/** The columns, for an INSERT that takes `expiryValues`. */
export const expiryColumns = "expires_at, purge_at"

export const expiryValues = (lifetime: string): string => `${expiry(lifetime)}, ${purgeTime(lifetime)}`

export const expirySet = (lifetime: string): string =>
  `expires_at = ${expiry(lifetime)}, purge_at = ${purgeTime(lifetime)}`

export const expirySetFrom = (row: string): string => `expires_at = ${row}.expires_at, purge_at = ${row}.purge_at`
