/** Metrics have bounded labels, and what a program memoizes without end can be collected. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import { Effect, LogLevel, Metric, MetricState } from "effect"
import { cached, MemoryBackend } from "effect-cached"
import { LayerCounters } from "../../src/internal/telemetry/counters.js"
import { Warnings } from "../../src/internal/telemetry/warnings.js"
import { Said } from "../support/everythingSaid.js"
import { bundled, outputOf } from "../support/program.js"
import { registered } from "../support/registered.js"
import { sized } from "../support/size.js"

const file = bundled(fileURLToPath(new URL("manyNames.ts", import.meta.url)))

interface Cost {
  readonly megabytes: number
  readonly labels: number
  readonly metrics: number
}

const costOf = (form: "text" | "array", definitions: number): Effect.Effect<Cost, Error> =>
  Effect.map(
    outputOf(file(), [form, `${definitions}`], ["--expose-gc", "--max-semi-space-size=32"]),
    // What the program prints.
    (said): Cost => JSON.parse(said.split("\n").find((line) => line.startsWith("{")) ?? said)
  )

describe("memoized effects without end", () => {
  for (const [form, definitions, labels] of [
    ["text", sized(5_000, 20_000), 1_001],
    ["array", sized(5_000, 20_000), 1]
  ] as const) {
    it.live(`${definitions} with a key as ${form} leave nothing behind`, () =>
      Effect.gen(function* () {
        const cost = yield* costOf(form, definitions)
        // Each used to cost 14 KB: 70 MB for 5,000.
        expect(cost.megabytes).toBeLessThan(8)
        expect(cost.labels).toBe(labels)
        expect(cost.metrics).toBeLessThan(5 * labels + 10)
      })
    )
  }
})

const ofStore = (store: string) =>
  Effect.map(Metric.snapshot, (pairs) =>
    pairs.filter(({ metricKey }) => metricKey.tags.some((tag) => tag.key === "store" && tag.value === store))
  )

const shown = { printed: "f(1)" }

describe("labels", () => {
  it.effect("beyond the thousandth name all count as other, and in the stats", () =>
    Effect.gen(function* () {
      const counters = new LayerCounters("labels-test", new Warnings())
      for (let name = 0; name < 1_100; name++) yield* counters.of(`f${name}`).count("misses", shown)
      yield* counters.of("f0").count("misses", shown)
      yield* counters.of("f1099").count("misses", shown)
      yield* counters.of("direct").count("misses", shown)
      expect(counters.counts.misses).toBe(1_103)
      const pairs = yield* ofStore("labels-test")
      expect(pairs.length).toBe(1_002)
      const countOf = (key: string) => {
        const found = pairs.find(({ metricKey }) =>
          metricKey.tags.some((tag) => tag.key === "key" && tag.value === key)
        )
        return found !== undefined && MetricState.isCounterState(found.metricState) ? found.metricState.count : 0
      }
      expect([countOf("f0"), countOf("f999"), countOf("other"), countOf("direct")]).toEqual([2, 1, 101, 1])
    })
  )

  it.effect("one warning says what to do", () => {
    const said = new Said()
    return Effect.gen(function* () {
      for (let id = 0; id < 1_010; id++) yield* Effect.succeed(id).pipe(cached({ key: `city:${id}` }))
      expect(said.warnings.length).toBe(1)
      expect(said.warnings[0]).toContain('key: ["city", id]')
    }).pipe(Effect.provide(MemoryBackend.layer({ maxEntries: 10 })), Effect.provide(said.from(LogLevel.Warning)))
  })
})

describe("the table of metrics in docs/production.md", () => {
  const root = new URL("../../", import.meta.url)
  const documented = [
    ...readFileSync(new URL("docs/production.md", root), "utf8").matchAll(/^\| `(effect_cached_\w+)`/gm)
  ].map(([, name]) => name)

  it.effect("has every metric that is registered, and no other", () =>
    Effect.gen(function* () {
      const metrics = yield* registered
      expect([...documented].sort()).toEqual([...metrics.keys()].sort())
    })
  )

  it.effect("tells the kind and the labels of each", () =>
    Effect.gen(function* () {
      const rows = new Map(
        Array.from(
          readFileSync(new URL("docs/production.md", root), "utf8").matchAll(
            /^\| `(effect_cached_\w+)` \| (\w+) \| ([^|]*) \|/gm
          ),
          ([, name = "", kind = "", labels = ""]) => [name, { kind, labels: labels.match(/\w+/g) ?? [] }]
        )
      )
      for (const [name, { kind, labels }] of yield* registered) {
        // The text of the table says which metrics have the label of tiers.
        const expected = [...labels].filter((label) => label !== "tier")
        expect([name, rows.get(name)?.kind, rows.get(name)?.labels]).toEqual([name, kind, expected])
      }
    })
  )

  it.effect("seconds are seconds", () =>
    Effect.gen(function* () {
      yield* registered
      const pairs = yield* Metric.snapshot
      const seconds = pairs.find(
        ({ metricKey }) =>
          metricKey.name === "effect_cached_compute_seconds" &&
          metricKey.tags.some(({ value }) => value === "registered-test")
      )
      expect(seconds?.metricState).toMatchObject({ max: 1.5 })
    })
  )

  it("has every name that stands in the source", () => {
    const source = fileURLToPath(new URL("src/", root))
    const named = readdirSync(source, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .flatMap((file) => [...readFileSync(join(source, file), "utf8").matchAll(/"(effect_cached_\w+)"/g)])
      .map(([, name]) => name)
    expect(named.length).toBeGreaterThan(0)
    expect(named.filter((name) => !documented.includes(name))).toEqual([])
  })
})
