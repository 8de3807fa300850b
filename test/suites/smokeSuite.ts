/**
 * Tests what depends on the set-up of a backend (the size of its pool, the number of its servers): many keys at once, and several
 * processes. One run of the whole suites for each backend tests everything else.
 */
import { layer as withLayer } from "@effect/vitest"
import type { Layer } from "effect"
import type { CacheBackend } from "effect-cached"
import { describe } from "vitest"
import { manyTests } from "../../src/internal/conformance/many.js"
import { namespaceTests, processTests } from "../../src/internal/conformance/sharing.js"
import { processTests as cachedProcessTests } from "./cached/processes.js"

/** The parameters are those of `cacheBackendSuite` for a shared store. */
export const smokeSuite = <E>(
  name: string,
  layer: Layer.Layer<CacheBackend, E>,
  neighbour: Layer.Layer<CacheBackend, E>
): void => {
  withLayer(layer)(name, (it) => {
    describe("many keys", () => manyTests(it))
    describe("several processes", () => processTests(it, layer))
    describe("several namespaces", () => namespaceTests(it, neighbour))
    describe("several processes, cached", () => cachedProcessTests(it, layer))
  })
}
