/**
 * Tells whether a backend keeps the promises of `CacheBackend`. For the authors of backends; needs `vitest` and
 * `@effect/vitest`.
 *
 * @since 0.1.0
 */
import { layer as withLayer } from "@effect/vitest"
import type { Layer } from "effect"
import { describe } from "vitest"
import type { CacheBackend } from "./CacheBackend.js"
import { addTests } from "./testing/add.js"
import { getOrSetTests } from "./testing/getOrSet.js"
import type { It } from "./testing/ground.js"
import { groupTests } from "./testing/groups.js"
import { incrementTests } from "./testing/increment.js"
import { keyTests } from "./testing/keys.js"
import { manyTests } from "./testing/many.js"
import { clearTests, deleteTests } from "./testing/removal.js"
import { namespaceTests, processTests } from "./testing/sharing.js"
import { statsTests } from "./testing/stats.js"
import { timeTests } from "./testing/times.js"
import { touchTests } from "./testing/touch.js"
import { valueTests } from "./testing/values.js"
import { versionTests } from "./testing/versions.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface SuiteOptions<E> {
  /**
   * Whether every layer built from the one under test works on the same store, as with a server. Then the suite builds
   * it several times, to see what two processes make of one key. Default false.
   */
  readonly shared?: boolean
  /** The same store under another namespace: what one clears must not be missed by the other. */
  readonly neighbour?: Layer.Layer<CacheBackend, E>
}

const sections: ReadonlyArray<readonly [string, (it: It) => void]> = [
  ["get and set", valueTests],
  ["keys", keyTests],
  ["ttl", timeTests],
  ["add", addTests],
  ["many keys", manyTests],
  ["increment", incrementTests],
  ["touch", touchTests],
  ["delete", deleteTests],
  ["groups", groupTests],
  ["versions", versionTests],
  ["getOrSet", getOrSetTests],
  ["stats", statsTests],
  ["clear", clearTests]
]

/**
 * Registers the conformance tests of a backend: a `describe` named after it. Give it a layer with the default options and
 * a namespace that nothing else uses, for the tests `clear` it. Names are random, times come from a `TestClock`, values
 * are at most 300 kB.
 *
 * @example
 * import { MemoryBackend } from "effect-cached"
 * import { cacheBackendSuite } from "effect-cached/testing"
 *
 * // in a test file that vitest runs
 * cacheBackendSuite("MemoryBackend", MemoryBackend.layer())
 *
 * @since 0.1.0
 * @category conformance
 */
export const cacheBackendSuite = <E>(
  name: string,
  layer: Layer.Layer<CacheBackend, E>,
  options: SuiteOptions<E> = {}
): void => {
  withLayer(layer)(name, (it) => {
    for (const [title, tests] of sections) describe(title, () => tests(it))
    if (options.shared === true) describe("several processes", () => processTests(it, layer))
    const { neighbour } = options
    if (neighbour !== undefined) describe("several namespaces", () => namespaceTests(it, neighbour))
  })
}
