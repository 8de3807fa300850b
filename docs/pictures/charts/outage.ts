/** The 30 seconds without the store: how long calls took, and how many of them failed. */
import { figuresOf, measured } from "./measured.js"
import { type Chart, colour } from "./svg.js"

const stores = { PostgreSQL: "proof.outage.sql", Memcached: "proof.outage.memcached" } as const

const width = 600

const panelsOf = (store: keyof typeof stores) => {
  const [found] = figuresOf(measured(stores[store]))
  if (found === undefined) return []
  // The first and the last half second are not whole.
  const timeline = found.timeline.slice(1, -1)
  const seconds = { field: "at", type: "quantitative", axis: null, scale: { nice: false } }
  const away = {
    data: { values: [{ from: 0, to: found.down }] },
    mark: { type: "rect", color: colour("field") },
    encoding: { x: { field: "from", type: "quantitative", axis: null }, x2: { field: "to" } }
  }
  const took = timeline.flatMap(({ at, median, p99 }) => [
    { at, took: median, which: "median call" },
    { at, took: p99, which: "99 of 100 calls" }
  ])
  const outcomes = timeline.flatMap(({ at, calls, failed, hits }) => [
    { at, calls: hits, outcome: "from the cache", order: 0 },
    { at, calls: calls - hits - failed, outcome: "computed without it", order: 1 },
    { at, calls: failed, outcome: "failed", order: 2 }
  ])
  return [
    {
      title: { text: `${store}: milliseconds a call took`, fontSize: 13, color: colour("ink"), offset: 6 },
      width,
      height: 110,
      layer: [
        away,
        {
          data: { values: took },
          mark: { type: "line", strokeWidth: 1.8 },
          encoding: {
            x: seconds,
            y: {
              field: "took",
              type: "quantitative",
              scale: { type: "log", domain: [0.01, 1_000] },
              axis: { title: null, values: [0.01, 0.1, 1, 10, 100, 1_000], format: "~g", grid: true }
            },
            color: {
              field: "which",
              type: "nominal",
              scale: { domain: ["median call", "99 of 100 calls"], range: [colour("good"), colour("old")] }
            }
          }
        }
      ]
    },
    {
      title: {
        text: `${store}: calls in each half second, ${found.failed} of ${found.calls.toLocaleString("en")} failed`,
        fontSize: 13,
        color: colour("ink"),
        offset: 6
      },
      width,
      height: 60,
      data: { values: outcomes },
      mark: { type: "bar", width: 6 },
      encoding: {
        x: {
          ...seconds,
          axis: { title: "seconds since the store went down", grid: false, values: [-5, 0, 5, 10, 15, 20, 25, 30, 35] }
        },
        y: { field: "calls", type: "quantitative", stack: true, axis: { title: null, tickCount: 2, grid: false } },
        order: { field: "order" },
        color: {
          field: "outcome",
          type: "nominal",
          scale: {
            domain: ["from the cache", "computed without it", "failed"],
            range: [colour("good"), colour("work"), colour("bad")]
          }
        }
      }
    }
  ]
}

export const outage = (): Chart => ({
  title: "The store is down for 30 seconds under 1,000 calls a second",
  subtitle: [
    "Grey: the server is away. The functions themselves take no time.",
    `npm run proof -- --only outage · ${measured("proof.outage.sql").machine}, which had other work, too`
  ],
  spec: {
    vconcat: [...panelsOf("PostgreSQL"), ...panelsOf("Memcached")],
    spacing: 16,
    resolve: { scale: { color: "independent" } }
  }
})
