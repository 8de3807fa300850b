/**
 * The tests of `cachedMany` and `cachedResolver` that hold on any backend. The parameters are those of `cachedSuite`. `large` says
 * that 10,000 keys at once are tried on this backend always, and not 3,000 in the quick tests.
 */
import { layer as withLayer } from "@effect/vitest"
import type { Layer } from "effect"
import type { CacheBackend } from "effect-cached"
import { describe } from "vitest"
import { whole } from "../support/size.js"
import { eventTests } from "./many/events.js"
import { failureTests } from "./many/failures.js"
import { optionTests } from "./many/options.js"
import { processTests } from "./many/processes.js"
import { resolverTests } from "./many/resolver.js"
import { sharingTests } from "./many/sharing.js"
import { largeTests, valueTests } from "./many/values.js"

export const manySuite = <E>(
  name: string,
  layer: Layer.Layer<CacheBackend, E>,
  options: { readonly shared?: boolean; readonly large?: boolean } = {}
): void => {
  withLayer(layer)(name, (it) => {
    describe("values", () => {
      valueTests(it)
      largeTests(it, whole || options.large === true ? 10_000 : 3_000)
    })
    describe("options", () => optionTests(it))
    describe("failures", () => failureTests(it))
    describe("events", () => eventTests(it))
    describe("sharing", () => sharingTests(it))
    describe("resolver", () => resolverTests(it))
    if (options.shared === true) describe("several processes", () => processTests(it, layer))
  })
}
