/** The tests of `cached` that hold on any backend. */
import { layer as withLayer } from "@effect/vitest"
import type { Layer } from "effect"
import type { CacheBackend } from "effect-cached"
import { describe } from "vitest"
import { asyncContextTests } from "./cached/asyncContext.js"
import { closedTests } from "./cached/closed.js"
import { eventTests } from "./cached/events.js"
import { failureTests } from "./cached/failures.js"
import { formTests } from "./cached/forms.js"
import type { It } from "./cached/ground.js"
import { inspectTests } from "./cached/inspect.js"
import { invalidationTests } from "./cached/invalidation.js"
import { keyTests } from "./cached/keys.js"
import { operationTests } from "./cached/operations.js"
import { optionTests } from "./cached/options.js"
import { processTests } from "./cached/processes.js"
import { refreshTests } from "./cached/refresh.js"
import { schemaTests } from "./cached/schemas.js"
import { serviceTests } from "./cached/service.js"
import { softTimeoutTests } from "./cached/softTimeout.js"
import { staleTests } from "./cached/stale.js"

const sections: ReadonlyArray<readonly [string, (it: It) => void]> = [
  ["forms", formTests],
  ["keys", keyTests],
  ["options", optionTests],
  ["stale", staleTests],
  ["softTimeout", softTimeoutTests],
  ["refresh", refreshTests],
  ["failures", failureTests],
  ["operations", operationTests],
  ["schemas", schemaTests],
  ["invalidation", invalidationTests],
  ["AsyncLocalStorage", asyncContextTests],
  ["cached of a service", serviceTests],
  ["events", eventTests],
  ["inspect", inspectTests]
]

/**
 * The layer must have the default options and a namespace of its own, because the tests clear it. `shared` says that all layers
 * built from it use the same store: then several processes are tested, too.
 */
export const cachedSuite = <E>(
  name: string,
  layer: Layer.Layer<CacheBackend, E>,
  options: { readonly shared?: boolean } = {}
): void => {
  withLayer(layer)(name, (it) => {
    for (const [title, tests] of sections) describe(title, () => tests(it))
    describe("a closed layer", () => closedTests(it, layer))
    if (options.shared === true) describe("several processes", () => processTests(it, layer))
  })
}
