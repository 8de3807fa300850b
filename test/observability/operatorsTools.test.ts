/** The dashboard and the alert rules in docs/observability name what the code registers, and use it as what it is. */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Registered, registered } from "../support/registered.js"

const folder = fileURLToPath(new URL("../../docs/observability/", import.meta.url))
const text = (name: string) => readFileSync(`${folder}${name}`, "utf8")

interface Panel {
  readonly id: number
  readonly title: string
  readonly description: string
  readonly targets: ReadonlyArray<{ readonly expr: string }>
}

interface Dashboard {
  readonly panels: ReadonlyArray<Panel>
  readonly templating: { readonly list: ReadonlyArray<{ readonly name: string; readonly query: unknown }> }
}

const dashboard: Dashboard = JSON.parse(text("grafana.json"))
const asked = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))
const chosen = dashboard.templating.list.map(({ query }) => JSON.stringify(query).replaceAll('\\"', '"'))

/** What is asked in the rules, each from `expr:` to the next key. */
const rules = (name: string): ReadonlyArray<string> =>
  Array.from(text(name).matchAll(/^ +expr: (?:\|\n)?([\s\S]*?)(?=^ +(?:for|labels):)/gm), ([, expr = ""]) => expr)

const expressions = [...asked, ...chosen, ...rules("alerts.yml")]

/** What Prometheus adds by itself. */
const added = ["job", "instance", "le"]

interface Use {
  readonly name: string
  /** The function around it. */
  readonly through: string | undefined
  readonly labels: ReadonlyArray<string>
}

const usesIn = (expression: string): ReadonlyArray<Use> =>
  Array.from(
    expression.matchAll(/(?:(\w+)\(\s*)?(effect_cached_\w+)(?:\{([^}]*)\})?/g),
    ([, through, name = "", matchers = ""]) => ({
      name,
      through,
      labels: Array.from(matchers.matchAll(/(\w+)\s*(?:=~?|!=|!~)/g), ([, label = ""]) => label)
    })
  )

const faultOf = (metrics: ReadonlyMap<string, Registered>, { labels, name, through }: Use): string | undefined => {
  const part = /_(?:bucket|count|sum)$/.exec(name)?.[0]
  const found = metrics.get(name) ?? (part === undefined ? undefined : metrics.get(name.slice(0, -part.length)))
  if (found === undefined) return `${name} is registered nowhere`
  if ((found.kind === "histogram") !== (part !== undefined)) return `${name} is a ${found.kind}`
  if ((through === "rate" || through === "increase") && found.kind === "gauge") return `${through} of the gauge ${name}`
  const unknown = labels.filter((label) => !found.labels.has(label) && !added.includes(label))
  return unknown.length === 0 ? undefined : `${name} has no label ${unknown.join(", ")}`
}

describe("docs/observability", () => {
  it.effect("asks for metrics that are registered, of their kind and by their labels", () =>
    Effect.gen(function* () {
      const metrics = yield* registered
      const uses = expressions.flatMap(usesIn)
      assert.isAtLeast(uses.length, 50)
      assert.deepStrictEqual(
        uses.flatMap((use) => faultOf(metrics, use) ?? []),
        []
      )
      for (const [fault, expression] of [
        ["effect_cached_hit_total is registered nowhere", "rate(effect_cached_hit_total[5m])"],
        ["rate of the gauge effect_cached_breaker_open", "rate(effect_cached_breaker_open[5m])"],
        ["effect_cached_evicted_total has no label key", 'effect_cached_evicted_total{key="a"}'],
        ["effect_cached_compute_seconds is a histogram", "effect_cached_compute_seconds"]
      ] as const) {
        assert.deepStrictEqual(
          usesIn(expression).map((use) => faultOf(metrics, use)),
          [fault]
        )
      }
    })
  )

  it.effect("groups by labels that all metrics of the sum have", () =>
    Effect.gen(function* () {
      const metrics = yield* registered
      const sums = expressions.flatMap((expression) =>
        Array.from(
          expression.matchAll(/(?:sum|max) by \(([^)]*)\)\s*\((?:rate\()?(effect_cached_\w+)/g),
          ([, by = "", name = ""]) => ({ by: by.split(/,\s*/), name: name.replace(/_bucket$/, "") })
        )
      )
      assert.isAtLeast(sums.length, 30)
      assert.deepStrictEqual(
        sums.filter(({ by, name }) =>
          by.some((label) => metrics.get(name)?.labels.has(label) !== true && !added.includes(label))
        ),
        []
      )
    })
  )

  it.effect("the dashboard shows every metric", () =>
    Effect.gen(function* () {
      const shown = new Set(asked.flatMap(usesIn).map(({ name }) => name.replace(/_bucket$/, "")))
      assert.sameMembers([...shown], [...(yield* registered).keys()])
    })
  )

  it("the dashboard's panels have ids and descriptions of their own", () => {
    const { panels } = dashboard
    assert.strictEqual(new Set(panels.map(({ id }) => id)).size, panels.length)
    assert.deepStrictEqual(
      panels.filter(({ description }) => description === ""),
      []
    )
  })

  it("every alert has a summary and a description", () => {
    const alerts = text("alerts.yml")
      .split(/^ +- alert: /m)
      .slice(1)
    assert.isAtLeast(alerts.length, 5)
    for (const alert of alerts) {
      assert.match(alert, /severity: (?:critical|warning|info)\n +annotations:\n +summary: '.+'\n +description: >-\n/)
    }
  })

  const promtool = (() => {
    try {
      execFileSync("promtool", ["--version"], { stdio: "ignore" })
      return true
    } catch {
      return false
    }
  })()

  it.skipIf(!promtool)("the rules fire when they should, says promtool where it is installed", () => {
    for (const [what, file] of [
      ["check", "alerts.yml"],
      ["test", "alerts.test.yml"]
    ] as const) {
      assert.include(execFileSync("promtool", [what, "rules", `${folder}${file}`], { encoding: "utf8" }), "SUCCESS")
    }
  })
})
