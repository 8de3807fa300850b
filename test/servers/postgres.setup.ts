/** Starts one PostgreSQL server for the whole run; tests find it through `inject("postgresUrl")`. */
import { Effect, Exit, Scope } from "effect"
import type {} from "vitest"
import type { TestProject } from "vitest/node"
import { postgres } from "./postgres.js"
import { setUp } from "./setUp.js"

declare module "vitest" {
  export interface ProvidedContext {
    postgresUrl: string
  }
}

export default async function setup(project: TestProject) {
  const scope = Effect.runSync(Scope.make())
  const server = await setUp("to start PostgreSQL", () => Effect.runPromise(Scope.extend(postgres, scope)))
  project.provide("postgresUrl", server.url)
  return () => Effect.runPromise(Scope.close(scope, Exit.void))
}
