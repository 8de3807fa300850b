/** Instances of the example application, each with a port, a pool and a cache of its own; and what they ask of the database. */
import { createServer } from "node:http"
import { FetchHttpClient, HttpApiClient, HttpClient, HttpClientRequest, HttpServer } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { SqlClient } from "@effect/sql"
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, Redacted, Tracer } from "effect"
import type { CacheBackend } from "effect-cached"
import { Api } from "../../examples/app/api.js"
import { app } from "../../examples/app/layers.js"
import { client, freshTable, urlWith } from "../stores/postgres/support.js"
import { until } from "../support/until.js"

/** The URL of a schema of its own, with no table in it. */
export const freshSchema = Effect.gen(function* () {
  const sql = Context.get(yield* Layer.build(client()), SqlClient.SqlClient)
  const schema = `app_${freshTable()}`
  yield* Effect.acquireRelease(sql`CREATE SCHEMA ${sql(schema)}`, () =>
    Effect.orDie(sql`DROP SCHEMA ${sql(schema)} CASCADE`)
  )
  return urlWith({ search_path: schema })
})

/** What a client on behalf of a tenant may ask; types and errors are those of the API. */
export const clientOf = (baseUrl: string, tenant = "acme") =>
  HttpApiClient.make(Api, {
    baseUrl,
    transformClient: HttpClient.mapRequest(HttpClientRequest.setHeader("x-tenant", tenant))
  }).pipe(Effect.provide(FetchHttpClient.layer))

/** Counts the queries of the two tables, not those of the cache. */
const countingTracer = (count: () => void) => {
  const span: Tracer.Tracer["span"] = (name, parent, context, links, startTime, kind) => {
    const attributes = new Map<string, unknown>()
    return {
      _tag: "Span",
      name,
      parent,
      context,
      links: [...links],
      kind,
      spanId: name,
      traceId: name,
      sampled: false,
      attributes,
      status: { _tag: "Started", startTime },
      attribute: (key, value) => {
        attributes.set(key, value)
        if (key === "db.query.text" && /FROM (cities|favourites) WHERE/.test(String(value))) count()
      },
      end: () => {},
      event: () => {},
      addLinks: () => {}
    }
  }
  return Tracer.make({ span, context: (f) => f() })
}

/** Has every transaction that changes a city do something before it commits. */
const atCommit = (sql: SqlClient.SqlClient, statement: string) =>
  sql.unsafe(`
    CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${statement}; RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER at_commit AFTER UPDATE ON cities DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION at_commit()`)

let locks = 0

/** Commits that wait: for a lock, which a connection of the test has. */
const slowCommits = (sql: SqlClient.SqlClient) =>
  Effect.gen(function* () {
    const lock = process.pid * 1_000 + locks++
    yield* atCommit(sql, `PERFORM pg_advisory_xact_lock(${lock})`)
    const holder = yield* sql.reserve
    const hold = holder.executeUnprepared(`SELECT pg_advisory_lock(${lock})`, [], undefined)
    const letGo = holder.executeUnprepared(`SELECT pg_advisory_unlock(${lock})`, [], undefined)
    yield* Effect.acquireRelease(hold, () => Effect.ignore(letGo))
    const waiting = sql`SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid::int8 = ${lock}`
    return {
      arrived: until(waiting, (rows) => rows.length > 0),
      letOne: Effect.zipRight(letGo, hold)
    }
  })

export const instance = (
  url: string,
  cache: Layer.Layer<CacheBackend, unknown, PgClient.PgClient | SqlClient.SqlClient>
) =>
  Effect.gen(function* () {
    let queries = 0
    const database = PgClient.layer({ url: Redacted.make(url) })
    const context = yield* app(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })).pipe(
      Layer.provide(cache),
      Layer.provideMerge(database),
      Layer.provide(Layer.setTracer(countingTracer(() => queries++))),
      Layer.fresh,
      Layer.build
    )
    const baseUrl = HttpServer.formatAddress(Context.get(context, HttpServer.HttpServer).address)
    const api = yield* clientOf(baseUrl)
    /** The result, and how many queries it took. */
    const counted = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      Effect.gen(function* () {
        const before = queries
        const result = yield* effect
        return [result, queries - before] as const
      })
    const sql = Context.get(context, SqlClient.SqlClient)
    return {
      api,
      baseUrl,
      sql,
      counted,
      queries: () => queries,
      /** What stands in the database. */
      population: (id: number) =>
        Effect.map(
          sql<{ readonly population: number }>`SELECT population FROM cities AS now WHERE id = ${id}`,
          ([city]) => city?.population
        ),
      failingCommits: atCommit(sql, "RAISE EXCEPTION 'no commit'"),
      slowCommits: slowCommits(sql)
    }
  })
