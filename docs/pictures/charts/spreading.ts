/** For how long other tiers serve the old value after an invalidation, with a bus and without. */
import { figuresOf, measured } from "./measured.js"
import { type Chart, colour } from "./svg.js"

const stores = { PostgreSQL: "proof.spreading.sql", Redis: "proof.spreading.redis" } as const

const busNames = { with: "with its bus", without: "without a bus" }

const values = () =>
  Object.entries(stores).flatMap(([store, file]) =>
    figuresOf(measured(file)).flatMap(({ bus, stillOld }) =>
      stillOld.map(({ at, share }) => ({ store, bus: bus ? busNames.with : busNames.without, at, share }))
    )
  )

export const spreading = (): Chart => ({
  title: "Copies that are still old, by time since the invalidation",
  subtitle: [
    "Three other tiers with the default maxStaleness of 1 second, which are read all the time.",
    `npm run proof -- --only spreading · ${measured("proof.spreading.redis").machine}`
  ],
  spec: {
    data: { values: values() },
    facet: { column: { field: "store", type: "nominal", sort: null, header: { title: null } } },
    spacing: 30,
    spec: {
      width: 290,
      height: 150,
      mark: { type: "line", strokeWidth: 2.2, interpolate: "step-after", clip: true },
      encoding: {
        x: {
          field: "at",
          type: "quantitative",
          axis: { title: "milliseconds", tickCount: 5, grid: false },
          scale: { domain: [0, 1_050], nice: false }
        },
        y: {
          field: "share",
          type: "quantitative",
          axis: { title: null, format: ".0%", tickCount: 4 },
          scale: { domain: [0, 1] }
        },
        color: {
          field: "bus",
          type: "nominal",
          scale: { domain: [busNames.with, busNames.without], range: [colour("good"), colour("old")] }
        }
      }
    }
  }
})
