/** The primitives inside the user's transaction. */
import type { Connection } from "@effect/sql/SqlConnection"
import type { Effect } from "effect"
import type { CacheError } from "../../../CacheError.js"
import type { Primitives } from "../sql/SqlStore.js"
import { inSavepoint } from "../sql/savepoint.js"
import type { SqliteClient } from "./client.js"
import { primitives } from "./primitives.js"
import type { SqliteStatements } from "./statements.js"

export const insideTransaction =
  <Id>(client: SqliteClient<Id>, texts: SqliteStatements, namespace: string) =>
  (connection: Connection): Primitives<string> => {
    const within = <A>(operation: string, use: (on: Primitives<string>) => Effect.Effect<A, CacheError>) =>
      inSavepoint(connection, operation, use(primitives(client.inside(connection, operation), texts, namespace)))
    return {
      read: (keys) => within("read", (on) => on.read(keys)),
      write: (items) => within("write", (on) => on.write(items)),
      add: (key, record) => within("add", (on) => on.add(key, record)),
      replace: (key, token, record) => within("replace", (on) => on.replace(key, token, record)),
      amend: (key, token, record) => within("amend", (on) => on.amend(key, token, record)),
      remove: (keys) => within("remove", (on) => on.remove(keys)),
      clear: within("clear", (on) => on.clear)
    }
  }
