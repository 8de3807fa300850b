import { fileURLToPath } from "node:url"
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { bundled, outputOf } from "../support/program.js"

const file = bundled(fileURLToPath(new URL("idleProcess.ts", import.meta.url)))

for (const [store, exit] of [
  ["memory", "Success"],
  ["a store that is away", "Failure"]
] as const) {
  it.live(`a process with a cache that nobody disposes of ends by itself: ${store}`, () =>
    Effect.map(outputOf(file(), [store]), (said) => expect(said).toContain(exit))
  )
}
