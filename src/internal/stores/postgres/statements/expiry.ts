/**
 * When a record expires: exactly in `expires_at`, which every read compares, and roughly in `purge_at`, which the index of the
 * purge covers.
 *
 * An update that changes no indexed column may stay on its page and needs no index entry (a HOT update, see
 * src/backend/access/heap/README.HOT in PostgreSQL's sources). A record that is written again gets a new `expires_at` each
 * time. `purge_at` is that moment, rounded up to a power of two of seconds that is between a sixteenth and an eighth of the
 * time to live, so it mostly stays the same. Rows may outlive their end by so much, and a write takes the server about two
 * thirds of the time.
 *
 * `lifetime` is SQL for milliseconds, null for ever.
 */
export const expiry = (lifetime: string): string =>
  `CASE WHEN ${lifetime} IS NULL THEN 'infinity'::timestamptz ELSE clock_timestamp() + ${lifetime} * interval '1 millisecond' END`

/** In seconds. By logarithms of floats: those of `numeric` would take longer than the rest of a write. */
const grain = (lifetime: string) => `2::float8 ^ (floor(ln(greatest(${lifetime}, 1) / 1000) / ln(2::float8)) - 3)`

const purgeTime = (lifetime: string): string =>
  `CASE WHEN ${lifetime} IS NULL THEN 'infinity'::timestamptz ELSE to_timestamp(ceil(date_part('epoch', clock_timestamp() + ${lifetime} * interval '1 millisecond') / (${grain(lifetime)})) * (${grain(lifetime)})) END`

/** The columns of an INSERT that takes `expiryValues`. */
export const expiryColumns = "expires_at, purge_at"

export const expiryValues = (lifetime: string): string => `${expiry(lifetime)}, ${purgeTime(lifetime)}`

export const expirySet = (lifetime: string): string =>
  `expires_at = ${expiry(lifetime)}, purge_at = ${purgeTime(lifetime)}`

export const expirySetFrom = (row: string): string => `expires_at = ${row}.expires_at, purge_at = ${row}.purge_at`
