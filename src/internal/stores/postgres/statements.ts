/**
 * The statements for PostgreSQL. Three rules keep them free of dead-locks, with each other and with user transactions:
 *
 * - A user transaction that invalidates or sets only inserts rows under new ids, so it waits for nobody.
 * - All else locks in one order: changes by id, then records by key.
 * - A user transaction that adds or replaces must lock the record until it ends. It announces that by an advisory lock,
 *   which it only ever tries; a statement that holds one record never goes on to wait for a record so announced.
 */
import { expiry, expiryColumns, expirySet, expirySetFrom, expiryValues } from "./expiry.js"
import { named } from "./named.js"
import { anyIn, settled, type Table } from "./table.js"

/** One record a key: see `definition`. */
const onRecord = `ON CONFLICT (key) WHERE change = ${settled}`

const alive = (alias: string) => `${alias}.expires_at > clock_timestamp()`
/** The same, asked once and not for every row. */
const aliveNow = (alias: string) => `${alias}.expires_at > (SELECT clock_timestamp())`
/**
 * What a statement takes as an array, where the planner can't look into it. If it could, it would find each plan for one
 * short array cheaper than the plan for all, and so plan the statement anew at every call: that takes longer than running it.
 */
const unseen = (array: string, type = "text[]") => `(SELECT ${array})::${type}`
const keysAnd = (shared: string) => unseen(`string_to_array($1, ' ') || ${shared}::text`)
/** Arrays of these types, from the parameter `$1` on, as rows. */
const item = (columns: string, ...types: ReadonlyArray<string>) =>
  `unnest(${types.map((type, index) => unseen(`$${index + 1}::${type}`, type)).join(", ")}) AS i(${columns})`
/**
 * What `packed` makes of records, as rows: keys in one text, values in one `bytea`. As arrays they would take the driver
 * and the server a fifth of all that a write does.
 */
const packedItem = (also: readonly [column: string, type: string] | undefined) => {
  const [columns, arrays] = also === undefined ? ["", ""] : [`, ${also[0]}`, `, ${unseen(`$6::${also[1]}`, also[1])}`]
  return `(SELECT key, substr($2::bytea, starts, size) AS value, lifetime${columns} FROM unnest(
  ${unseen("string_to_array($1, ' ')")}, ${unseen("$3::int4[]", "int4[]")}, ${unseen("$4::int4[]", "int4[]")}, ${unseen("$5::float8[]", "float8[]")}${arrays}
) AS u(key, starts, size, lifetime${columns})) AS i`
}
/** One for all records of a statement, which has none twice: a token tells apart what one key held at different times. */
const freshToken = "(SELECT gen_random_uuid())"

/** In bytes: some hundreds of values together must stay far below what a text may be long, in PostgreSQL and in Node. */
const largest = 65_536

/**
 * @param timeoutMillis after which the callers of a write have left: one that the database held up for so long must not
 * happen any more, or it would overwrite what was written in the meantime
 */
export const statements = (table: Table, timeoutMillis: number) => {
  const t = table.quoted
  const inTime = `clock_timestamp() < transaction_timestamp() + interval '${timeoutMillis} milliseconds'`
  // the table is part of it, so that two tables with the same key do not hold each other up
  const lockOf = (key: string) => `hashtextextended('${t} ' || ${key}, 0)`
  const unannounced = (key: string) => `pg_try_advisory_xact_lock_shared(${lockOf(key)})`
  const announcedEnds = (key: string) => `pg_advisory_xact_lock_shared(${lockOf(key)})::text = ''`

  /** Whatever the batch may take now (`free`), or what it waits for (`wait`): holding nothing else meanwhile. */
  const items = (mode: "free" | "wait", source: string) => `item AS MATERIALIZED (
  SELECT * FROM ${source} WHERE ${mode === "free" ? unannounced("i.key") : announcedEnds("i.key")}
)`
  const lockedChanges = `old AS MATERIALIZED (
  SELECT c.key, c.change, c.seen, CASE WHEN ${alive("c")} THEN c.value END AS value FROM ${t} c
  WHERE c.key = ${anyIn("item")} AND c.change <> ${settled} ORDER BY c.change FOR UPDATE
)`
  const deletedChanges = (condition = "") => `gone AS (
  DELETE FROM ${t} r WHERE r.key = ${anyIn("old")} AND r.change <> ${settled}
    AND (r.key, r.change) IN (SELECT key, change FROM old)${condition}
)`
  const pending = (shared: string) =>
    `pending AS MATERIALIZED (SELECT key, change FROM ${t} WHERE change <> ${settled} AND key = ANY(${keysAnd(shared)}))`
  /** By the order of its index: for `EXISTS` the planner would read a whole table that was never analysed. */
  const firstChange = (condition = "true") =>
    `SELECT key FROM ${t} WHERE change <> ${settled} AND ${condition} ORDER BY key LIMIT 1`
  const put = `value = EXCLUDED.value, token = EXCLUDED.token, seen = EXCLUDED.seen, ${expirySetFrom("EXCLUDED")}`

  const write = (mode: "free" | "wait") => `WITH ${items(mode, packedItem(undefined))},
${lockedChanges},
put AS (
  INSERT INTO ${t} AS r (key, value, token, seen, ${expiryColumns})
  SELECT i.key, i.value, ${freshToken},
    (SELECT array_agg(change) FROM ${t} WHERE key = $6 AND change <> ${settled}), ${expiryValues("i.lifetime")}
  FROM item i, (SELECT count(*) AS n FROM old) o
  WHERE o.n >= 0 AND ${inTime} ORDER BY i.key COLLATE "C"
  ${onRecord} DO UPDATE SET ${put} RETURNING r.key
),
${deletedChanges()}
SELECT key FROM put`

  const remove = (mode: "free" | "wait") => `WITH ${items(mode, item("key", "text[]"))},
${lockedChanges},
record AS MATERIALIZED (
  SELECT r.key, r.token, r.seen, CASE WHEN ${alive("r")} THEN ''::bytea END AS value FROM ${t} r
  WHERE r.key = ${anyIn("item")} AND r.change = ${settled} AND (SELECT count(*) FROM old) >= 0
  ORDER BY r.key FOR UPDATE
),
removed AS (DELETE FROM ${t} r WHERE r.key = ${anyIn("record")} AND r.change = ${settled}),
${deletedChanges()}
SELECT key, NULL::uuid AS change, token, seen, value FROM record WHERE value IS NOT NULL
UNION ALL SELECT key, change, NULL, seen, value FROM old
UNION ALL SELECT key, change, NULL, seen, NULL FROM ${t} WHERE key = $2 AND change <> ${settled}
UNION ALL SELECT key, NULL, NULL, NULL, NULL FROM item`

  /** Locks the changes of one key and tells whether they are still those that were read. */
  const unchanged = (
    key: string,
    shared: string,
    ids: string
  ) => `item AS MATERIALIZED (SELECT ${key}::text AS key WHERE ${unannounced(`${key}::text`)}),
${lockedChanges},
shared AS MATERIALIZED (SELECT change FROM ${t} WHERE key = ${shared} AND change <> ${settled}),
same AS MATERIALIZED (
  SELECT (SELECT array_agg(change) FROM shared) AS seen FROM item
  WHERE ${ids}::uuid[] = (
    SELECT coalesce(array_agg(change ORDER BY change), '{}') FROM (SELECT change FROM old UNION ALL SELECT change FROM shared) both_kinds
  )
)`

  const pageOfKeys = (kind: "=" | "<>") =>
    `SELECT DISTINCT key FROM ${t} WHERE change ${kind} ${settled} AND split_part(key, ':', 2) = $1 AND key > $2 AND key <> $3 ORDER BY key LIMIT $4`

  return named({
    /**
     * The rows of the keys `$1`, separated by spaces, and the changes of `$2`; all of a record in one column, as most of what
     * a row costs the driver it costs by the column. `-` where nothing lives.
     */
    read: `SELECT coalesce(r.token::text, '') || ' ' || coalesce(encode(r.value, 'hex'), '-') || ' ' || r.key AS record, NULL::uuid AS change, r.seen
FROM ${t} r WHERE r.key = ANY(${unseen("string_to_array($1, ' ')")}) AND r.change = ${settled} AND ${aliveNow("r")}
UNION ALL
SELECT ' ' || coalesce(encode(CASE WHEN ${aliveNow("c")} THEN c.value END, 'hex'), '-') || ' ' || c.key, c.change, c.seen
FROM ${t} c WHERE c.key = ANY(${keysAnd("$2")}) AND c.change <> ${settled}`,

    /**
     * The records alone, in one row, which spares the driver most of what many cost it: of each its token and key in a line,
     * and its value after the length of that. A change, and what this can't say of a record, makes `isMixed` true.
     */
    readPlain: `SELECT string_agg(token::text || key, E'\\n') AS heads,
  string_agg(int4send(octet_length(value)) || value, ''::bytea) FILTER (WHERE octet_length(value) <= ${largest}) AS values,
  bool_or(token IS NULL OR value IS NULL OR octet_length(value) > ${largest}) OR (${firstChange(`key = ANY(${keysAnd("$2")})`)}) IS NOT NULL AS "isMixed"
FROM ${t} r WHERE r.key = ANY(${unseen("string_to_array($1, ' ')")}) AND r.change = ${settled} AND ${aliveNow("r")}`,

    /**
     * `write` for a table in which no transaction has left a change, which is how most are at most times: it looks for one
     * first, and writes nothing where it finds any.
     */
    writeUnchanged: `INSERT INTO ${t} AS r (key, value, token, ${expiryColumns})
SELECT i.key, i.value, ${freshToken}, ${expiryValues("i.lifetime")} FROM ${packedItem(undefined)}
WHERE (${firstChange()}) IS NULL AND ${unannounced("i.key")} AND ${inTime} ORDER BY i.key COLLATE "C"
${onRecord} DO UPDATE SET ${put} RETURNING r.key`,

    write: write("free"),
    writeWaiting: write("wait"),

    /** Tells of each key either the token that its adder got, or that changes stand there, which `over…` takes in. */
    add: `WITH ${items("free", packedItem(undefined))},
${pending("$6")},
put AS (
  INSERT INTO ${t} AS r (key, value, token, ${expiryColumns})
  SELECT i.key, i.value, ${freshToken}, ${expiryValues("i.lifetime")} FROM item i
  WHERE NOT EXISTS (SELECT 1 FROM pending p WHERE p.key = i.key OR p.key = $6) ORDER BY i.key COLLATE "C"
  ${onRecord} DO UPDATE SET ${put} WHERE r.expires_at <= clock_timestamp() RETURNING r.key, r.token
)
SELECT key, token FROM put
UNION ALL SELECT i.key, NULL FROM item i WHERE EXISTS (SELECT 1 FROM pending p WHERE p.key = i.key OR p.key = $6)`,

    /** Over records beside which no change stands that they have not seen. */
    replace: `WITH ${items("free", packedItem(["token", "uuid[]"]))},
${pending("$7")},
held AS MATERIALIZED (
  SELECT r.key, i.value, i.lifetime FROM ${t} r JOIN item i ON r.key = i.key AND r.token = i.token
  WHERE r.key = ${anyIn("item")} AND r.change = ${settled} AND ${alive("r")} AND NOT EXISTS (
    SELECT 1 FROM pending p WHERE p.key IN (r.key, $7) AND p.change <> ALL (coalesce(r.seen, '{}'))
  )
  ORDER BY r.key FOR UPDATE OF r
)
UPDATE ${t} r SET value = held.value, token = ${freshToken}, ${expirySet("held.lifetime")}
FROM held WHERE r.key = ${anyIn("held")} AND r.key = held.key AND r.change = ${settled} RETURNING r.key, r.token`,

    /** Over the changes `$5` and the live record `$6`; takes the changes in. */
    overRecord: `WITH ${unchanged("$1", "$4", "$5")},
put AS (
  UPDATE ${t} r SET value = $2::bytea, token = gen_random_uuid(), seen = same.seen, ${expirySet("$3::float8")} FROM same
  WHERE r.key = $1 AND r.change = ${settled} AND r.token = $6::uuid AND ${alive("r")} RETURNING r.key, r.token
),
${deletedChanges(" AND EXISTS (SELECT 1 FROM put)")}
SELECT key, token FROM put`,

    /** Over the changes `$5` where no record lives. */
    overAbsence: `WITH ${unchanged("$1", "$4", "$5")},
put AS (
  INSERT INTO ${t} AS r (key, value, token, seen, ${expiryColumns})
  SELECT $1::text, $2::bytea, gen_random_uuid(), same.seen, ${expiryValues("$3::float8")} FROM same
  ${onRecord} DO UPDATE SET ${put} WHERE r.expires_at <= clock_timestamp() RETURNING r.key, r.token
),
${deletedChanges(" AND EXISTS (SELECT 1 FROM put)")}
SELECT key, token FROM put`,

    /** Removes the changes `$3` and, if there was one, the record `$4` under them. */
    settleAbsent: `WITH ${unchanged("$1", "$2", "$3")},
record AS (
  DELETE FROM ${t} r USING same WHERE r.key = $1 AND r.change = ${settled} AND r.token = $4::uuid RETURNING r.key
),
${deletedChanges(" AND EXISTS (SELECT 1 FROM same) AND ($4::uuid IS NULL OR EXISTS (SELECT 1 FROM record))")}
SELECT count(*) FROM record`,

    remove: remove("free"),
    removeWaiting: remove("wait"),

    /** Inside a user transaction: what is to hold from its commit on. Null bytes are a tombstone. */
    change: `INSERT INTO ${t} (key, change, seen, value, expires_at)
SELECT i.key, gen_random_uuid(),
  (SELECT coalesce(array_agg(c.change), '{}') FROM ${t} c WHERE c.key IN (i.key, $4) AND c.change <> ${settled}),
  i.value, ${expiry("i.lifetime")}
FROM ${item("key, value, lifetime", "text[]", "bytea[]", "float8[]")}`,

    /** Inside a user transaction: a tombstone over all keys of the namespace `$2`. */
    changeAll: `INSERT INTO ${t} (key, change, seen, expires_at)
SELECT $1::text, gen_random_uuid(), coalesce(array_agg(c.change), '{}'), 'infinity'
FROM ${t} c WHERE c.change <> ${settled} AND (c.key = $1 OR split_part(c.key, ':', 2) = $2)`,

    /** Announces that this transaction will hold the record; otherwise lets the holder finish a little. */
    announce: `SELECT CASE WHEN pg_try_advisory_xact_lock(${lockOf("$1::text")}) THEN true ELSE pg_sleep(0.002) IS NULL END AS announced`,
    lockRecord: `UPDATE ${t} r SET value = $2::bytea, token = gen_random_uuid(), ${expirySet("$3::float8")}
WHERE r.key = $1 AND r.change = ${settled} AND r.token = $4::uuid AND ${alive("r")} RETURNING r.key, r.token`,
    lockAbsence: `INSERT INTO ${t} AS r (key, value, token, ${expiryColumns}) VALUES ($1, $2::bytea, gen_random_uuid(), ${expiryValues("$3::float8")})
${onRecord} DO UPDATE SET ${put} WHERE r.expires_at <= clock_timestamp() RETURNING r.key, r.token`,

    /** The keys of the namespace `$1` after `$2`, a page at a time. */
    keysOf: `(${pageOfKeys("=")}) UNION (${pageOfKeys("<>")}) ORDER BY key LIMIT $4`,
    /** By the statistics that the server keeps anyway. */
    size: `SELECT greatest(reltuples, 0)::bigint AS entries, pg_total_relation_size(oid) AS bytes FROM pg_class WHERE oid = '${t}'::regclass`,
    forgetChanges: `DELETE FROM ${t} WHERE key = $1 AND change <> ${settled} AND change = ANY($2::uuid[])`
  })
}

export type Statements = ReturnType<typeof statements>
