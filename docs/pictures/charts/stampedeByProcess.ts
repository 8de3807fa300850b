/** Who computes when 8 processes ask for one key. */
import { figuresOf, measured } from "./measured.js"
import { type Chart, colour } from "./svg.js"

const situations = { cold: "no value", stale: "a stale value" } as const

const cells = () =>
  [...figuresOf(measured("proof.stampede.sql")), ...figuresOf(measured("proof.rivals.sql"))].flatMap(
    ({ computations, key, perProcess, subject }) => [
      ...perProcess.map((count, index) => ({
        subject,
        situation: situations[key],
        process: `${index + 1}`,
        count,
        look: count === 0 ? "none" : subject === "effect-cached" ? "own" : "other"
      })),
      { subject, situation: situations[key], process: "all", count: computations, look: "sum" }
    ]
  )

export const stampede = (): Chart => {
  const values = cells()
  const isCell = "datum.process !== 'all'"
  return {
    title: "Computations of one key: 8 processes × 1,250 callers at once",
    subtitle: [
      "All share one PostgreSQL, but for Effect’s Cache, whose store is the process.",
      `npm run proof -- --only stampede,rivals --store sql · ${measured("proof.rivals.sql").machine}`
    ],
    spec: {
      data: { values },
      facet: {
        column: {
          field: "situation",
          type: "nominal",
          sort: Object.values(situations),
          header: { title: null }
        }
      },
      spacing: 20,
      spec: {
        width: { step: 28 },
        height: { step: 28 },
        encoding: {
          x: {
            field: "process",
            type: "nominal",
            sort: null,
            axis: { title: "process", labelAngle: 0, ticks: false, domain: false, orient: "bottom" }
          },
          y: {
            field: "subject",
            type: "nominal",
            sort: [...new Set(values.map(({ subject }) => subject))],
            axis: { title: null, ticks: false, domain: false, minExtent: 145, maxExtent: 145 }
          }
        },
        layer: [
          {
            transform: [{ filter: isCell }],
            mark: { type: "rect", width: 24, height: 24, cornerRadius: 3 },
            encoding: {
              color: {
                field: "look",
                type: "nominal",
                scale: { domain: ["none", "own", "other"], range: [colour("field"), colour("good"), colour("old")] },
                legend: null
              }
            }
          },
          {
            transform: [{ filter: `${isCell} && datum.count > 0` }],
            mark: { type: "text", color: "var(--d-paper)", fontWeight: 600 },
            encoding: { text: { field: "count", type: "quantitative" } }
          },
          {
            transform: [{ filter: "datum.process === 'all'" }],
            mark: { type: "text", fontWeight: 600, fontSize: 14 },
            encoding: { text: { field: "count", type: "quantitative" } }
          }
        ]
      }
    }
  }
}
