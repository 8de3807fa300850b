/**
 * For tests: backends that fail, and that count calls, and a suite that tests whether a backend keeps the promises of
 * `CacheBackend`. Needs `vitest` and `@effect/vitest`.
 *
 * @since 0.1.0
 */
import { layer as withLayer } from "@effect/vitest"
import type { Layer } from "effect"
import { describe } from "vitest"
import type { CacheBackend } from "./CacheBackend.js"
import { addTests } from "./internal/conformance/add.js"
import { getOrSetTests } from "./internal/conformance/getOrSet.js"
import type { It } from "./internal/conformance/ground.js"
import { groupTests } from "./internal/conformance/groups.js"
import { incrementTests } from "./internal/conformance/increment.js"
import { keyTests } from "./internal/conformance/keys.js"
import { manyTests } from "./internal/conformance/many.js"
import { clearTests, deleteTests } from "./internal/conformance/removal.js"
import { namespaceTests, processTests } from "./internal/conformance/sharing.js"
import { statsTests } from "./internal/conformance/stats.js"
import { timeTests } from "./internal/conformance/times.js"
import { touchTests } from "./internal/conformance/touch.js"
import { valueTests } from "./internal/conformance/values.js"
import { versionTests } from "./internal/conformance/versions.js"

/** @since 0.1.0 */
export * as CountingBackend from "./CountingBackend.js"
/** @since 0.1.0 */
export * as FailingBackend from "./FailingBackend.js"

/**
 * The options of `cacheBackendSuite`.
 *
 * @since 0.1.0
 * @category models
 */
export interface SuiteOptions<E> {
  /**
   * Whether all layers built from the layer under test use the same store, as with a server. Then the suite builds it several
   * times, as several processes do. Default false.
   */
  readonly shared?: boolean
  /** A layer on the same store under another namespace, to test that neither clears the other. Default: this is not tested. */
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
 * Registers the conformance tests of a backend in a `describe` of that name. The layer must have the default options and a
 * namespace that nothing else uses, because the tests clear it. The tests use random keys, the `TestClock`, and values of at most
 * 300 kB.
 *
 * @param name the title of the `describe`
 * @param layer the backend under test; it is built once for all tests
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
