/** The registry of metrics is one for the process, so the bound of labels holds for all layers together. */
import { expect, it } from "@effect/vitest"
import { Effect, GlobalValue, LogLevel, Metric } from "effect"
import { cached, MemoryBackend } from "effect-cached"
import { Said } from "../support/everythingSaid.js"

const labels = GlobalValue.globalValue("effect-cached/labels", () => new Set<string>())

it.effect(
  "a layer for each request, each with another name of a function: 10,000 labels, then other, and one warning",
  () => {
    const said = new Said()
    const before = [...labels]
    const request = (name: string) =>
      Effect.void.pipe(cached({ key: name }), Effect.provide(MemoryBackend.layer({ maxEntries: 10 })))
    return Effect.gen(function* () {
      // As if nearly all had been registered: to register them would take long.
      for (let id = 0; labels.size < 9_990; id++) labels.add(`memory earlier:${id}`)
      for (let id = 0; id < 20; id++) yield* request(`request:${id}`)
      // A name that is registered keeps its label.
      yield* request("request:1")
      const missed = (yield* Metric.snapshot).filter(({ metricKey }) => metricKey.name === "effect_cached_misses_total")
      const found = missed.flatMap(({ metricKey }) => metricKey.tags.map(({ value }) => value))
      expect(found.filter((value) => value.startsWith("request:")).length).toBe(10)
      expect(found).toContain("other")
      expect(said.warnings.length).toBe(1)
      expect(said.warnings[0]).toContain('key: ["city", id]')
    }).pipe(
      Effect.provide(said.from(LogLevel.Warning)),
      // Other tests of this process count their names from what was there.
      Effect.ensuring(
        Effect.sync(() => {
          labels.clear()
          for (const label of before) labels.add(label)
        })
      )
    )
  }
)
