import { randomUUID } from "node:crypto"
import { describe } from "@effect/vitest"
import { Layer } from "effect"
import * as SqlBackend from "effect-cached/SqlBackend"
import { cacheBackendSuite } from "effect-cached/testing"
import { client, freshTable, postgres } from "../stores/postgres/support.js"
import { cachedSuite } from "../suites/cachedSuite.js"
import { manySuite } from "../suites/manySuite.js"
import { smokeSuite } from "../suites/smokeSuite.js"
import { backendTests } from "../suites/sql/backend.js"
import { whole } from "../support/size.js"

/** However often it is built: the same table, under a namespace of its own. */
const backend = (connections: number, table: string) =>
  SqlBackend.layer({ table, namespace: randomUUID(), timeout: "1 minute" }).pipe(Layer.provide(client({ connections })))

const table = freshTable()
cacheBackendSuite("SqlBackend on PostgreSQL", backend(10, table), { shared: true, neighbour: backend(10, table) })
cachedSuite("cached on PostgreSQL", backend(10, table), { shared: true })
manySuite("cachedMany on PostgreSQL", backend(10, table), { shared: true, large: true })

for (const connections of whole ? [1, 2] : [1]) {
  const table = freshTable()
  smokeSuite(
    `SqlBackend on PostgreSQL, connections: ${connections}`,
    backend(connections, table),
    backend(connections, table)
  )
}

describe("SqlBackend on PostgreSQL", () => backendTests(postgres))
