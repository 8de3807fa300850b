/** Hits a second next to those of others, by backend and by how many callers ask at a time. */
import type { Played } from "../../../benchmarks/tools/contest.js"
import type { Measured } from "../../../test/support/measured.js"
import { measured } from "./measured.js"
import { type Chart, colour } from "./svg.js"

interface Bar {
  readonly subject: string
  readonly column: string
  /** To the first subject. */
  readonly ratio: number
  readonly isOwn: boolean
}

const ownNames: Readonly<Record<string, string>> = {
  "effect-cached": "effect-cached: get",
  "effect-cached, cached": "effect-cached: cached",
  "effect-cached, cached in a group": "effect-cached: cached, in a group"
}

const callers = (lanes: number): string => (lanes === 1 ? "1 caller" : `${lanes} callers at a time`)

/** @param names of the subjects to show, in their order; the first is the measure of the others */
const barsOf = (
  { figures }: Measured<Played>,
  names: Readonly<Record<string, string>>,
  size: number
): ReadonlyArray<Bar> => {
  const shown: Readonly<Record<string, string>> = { ...names, ...ownNames }
  const [first] = Object.keys(names)
  const found = figures.filter((one) => one.discipline === "hit" && one.size === size)
  return Object.keys(shown).flatMap((name) =>
    found
      .filter(({ subject }) => subject === name)
      .map(({ lanes, ratio }) => ({
        subject: shown[name] ?? name,
        column: callers(lanes),
        ratio: ratio / (found.find((one) => one.lanes === lanes && one.subject === first)?.ratio ?? Number.NaN),
        isOwn: name in ownNames
      }))
  )
}

const memoryNames: Readonly<Record<string, string>> = {
  "Cache.get": "Effect’s Cache",
  cached: "effect-cached: cached"
}

const ofMemory = (): ReadonlyArray<Bar> => {
  const found = measured("bench.memory").figures.filter(({ keys }) => keys === "numbers, uniform")
  return Object.entries(memoryNames).flatMap(([name, subject]) =>
    found
      .filter((one) => one.name === name && (one.size === 1_000 || one.size === 100_000))
      .map(({ ratio, size }) => ({
        subject,
        column: `${size.toLocaleString("en")} entries`,
        ratio: 1 / ratio,
        isOwn: name === "cached"
      }))
  )
}

const panel = (title: string, bars: ReadonlyArray<Bar>) => {
  const order = [...new Set(bars.map(({ subject }) => subject))]
  return {
    title: { text: title, fontSize: 13, color: colour("ink"), anchor: "start", offset: 8 },
    data: { values: bars },
    facet: { column: { field: "column", type: "nominal", sort: null, header: { title: null } } },
    spacing: 24,
    spec: {
      width: 210,
      height: { step: 20 },
      encoding: {
        y: {
          field: "subject",
          type: "nominal",
          sort: order,
          axis: { title: null, ticks: false, domain: false, minExtent: 195, maxExtent: 195 }
        },
        x: { field: "ratio", type: "quantitative", axis: null, scale: { zero: true } }
      },
      layer: [
        {
          mark: { type: "bar", height: 13, cornerRadius: 2 },
          encoding: {
            color: {
              field: "isOwn",
              type: "nominal",
              scale: { domain: [true, false], range: [colour("good"), colour("line")] },
              legend: null
            }
          }
        },
        {
          mark: { type: "text", align: "left", dx: 5 },
          encoding: { text: { field: "ratio", type: "quantitative", format: ".2~r" } }
        }
      ]
    },
    resolve: { scale: { x: "independent" } }
  }
}

export const hits = (): Chart => ({
  title: "Hits a second, next to those of the first line of each group",
  subtitle: [
    "Medians of ratios in one run on one server. “get” is the operation, “cached” the memoized function.",
    `npm run bench · ${measured("bench.redis").machine}, which had other work, too`
  ],
  spec: {
    vconcat: [
      panel("Memory", ofMemory()),
      panel(
        "PostgreSQL, 10,000 rows",
        barsOf(
          measured("bench.sql"),
          { pg: "pg, bare", "@effect/sql": "@effect/sql, bare", "@keyv/postgres": "@keyv/postgres" },
          10_000
        )
      ),
      panel(
        "Memcached",
        barsOf(
          measured("bench.memcached"),
          {
            "memjs: bytes": "memjs, bare",
            "memcached: JSON": "memcached, with JSON",
            "@keyv/memcache: bytes": "@keyv/memcache"
          },
          1
        )
      ),
      panel(
        "Redis",
        barsOf(
          measured("bench.redis"),
          {
            "node-redis: text": "node-redis, bare",
            "node-redis without timers: text": "node-redis, bare, without timers",
            "ioredis: text": "ioredis, bare",
            "@keyv/redis: text": "@keyv/redis"
          },
          1
        )
      )
    ],
    spacing: 20
  }
})
