/** The charts show what was measured, and the README's table tells the same. */
import { assert, describe, it } from "@effect/vitest"
import { draw } from "../../docs/pictures/charts/main.js"
import { type FileName, figuresOf, measured } from "../../docs/pictures/charts/measured.js"
import { text } from "./pages.js"

const drawn = await draw()

const cellsOf = (what: string): ReadonlyArray<string> => {
  const row = text("README.md")
    .split("\n")
    .find((line) => line.startsWith(`| ${what}`))
  return (row ?? "")
    .split("|")
    .slice(2, -1)
    .map((cell) => cell.trim())
}

describe("charts", () => {
  it.each(Object.entries(drawn))("%s is what is drawn from the figures: npm run charts", (name, content) => {
    assert.isTrue(text(`docs/pictures/charts/${name}`) === content, `docs/pictures/charts/${name} is another one`)
  })

  it.each(Object.entries(drawn))(
    "%s is transparent, has its own light and dark, and loads nothing",
    (_name, content) => {
      assert.include(content, "@media (prefers-color-scheme: dark)")
      assert.notMatch(content, /(?:href|src)=|url\((?!#)|@import|@font-face|(?:fill|stroke)="#|NaN|undefined/)
      assert.notMatch(content, /<rect[^>]*width="100%"/)
    }
  )

  it("every picture of a measurement has its command below it, in README and docs", () => {
    for (const page of ["README.md", "docs/speed.md", "docs/proof.md", "docs/tiers.md", "docs/production.md"]) {
      for (const [picture, name = "", below = ""] of text(page).matchAll(
        /^!\[[^\]]*\]\(\S*?charts\/([\w-]+)\.svg\)\n\n(.*)/gm
      )) {
        assert.include(Object.keys(drawn), `${name}.svg`)
        assert.match(below, /`npm run (?:bench|proof)/, `${page}: ${picture}`)
      }
    }
    for (const name of Object.keys(drawn)) {
      const pages = ["README.md", "docs/speed.md", "docs/proof.md", "docs/tiers.md", "docs/production.md"]
      assert.isTrue(
        pages.some((page) => text(page).includes(`charts/${name})`)),
        `${name} is shown nowhere`
      )
    }
  })
})

describe("the README's table", () => {
  const columns = ["sql", "memcached", "redis"] as const
  const each = (tell: (store: (typeof columns)[number]) => string) => columns.map(tell)

  const stampede = (store: (typeof columns)[number], subject: string, key: "cold" | "stale") => {
    const file: FileName = subject === "effect-cached" ? `proof.stampede.${store}` : `proof.rivals.${store}`
    return figuresOf(measured(file)).find((one) => one.subject === subject && one.key === key)
  }

  it("tells the computations that the chart shows", () => {
    assert.deepStrictEqual(
      cellsOf("8 processes × 1,250 callers, one cold key"),
      each((store) => `${stampede(store, "effect-cached", "cold")?.computations} computation`)
    )
    assert.deepStrictEqual(
      cellsOf("the same, one stale key"),
      each((store) => {
        const stale = stampede(store, "effect-cached", "stale")
        return `${stale?.computations} computation, ${stale?.answeredAtOnce?.toLocaleString("en")} not waiting`
      })
    )
    for (const [what, subject] of [
      ["Effect `Cache`, cold / stale", "Effect's Cache"],
      ["`PersistedCache`, cold / stale", "Effect's PersistedCache"],
      ["bentocache 1.6, cold / stale", "bentocache"],
      ["cacheable 2.5, cold / stale", "cacheable"]
    ] as const) {
      assert.deepStrictEqual(
        // "with its bus" may follow
        cellsOf(what).map((cell) => cell.split(",")[0]),
        each((store) => {
          const cold = stampede(store, subject, "cold")
          const stale = stampede(store, subject, "stale")
          return cold === undefined || stale === undefined
            ? "no driver"
            : `${cold.computations} / ${stale.computations}`
        }),
        what
      )
    }
  })

  it("tells of the outage what the chart shows", () => {
    const outage = (store: "sql" | "memcached") => figuresOf(measured(`proof.outage.${store}`))[0]
    const of = (tell: (store: "sql" | "memcached") => string) => [tell("sql"), tell("memcached")]
    assert.deepStrictEqual(
      cellsOf("store down for 30 s under 1,000 calls/s: failed calls").slice(0, 2),
      of((store) => `${outage(store)?.failed} of ${outage(store)?.calls.toLocaleString("en")}`)
    )
    assert.deepStrictEqual(
      cellsOf("median added to a call once the breaker is open").slice(0, 2),
      of((store) => `${outage(store)?.addedMicros.toFixed(0)} µs`)
    )
    assert.deepStrictEqual(
      cellsOf("first hit after recovery").slice(0, 2),
      of((store) => `${outage(store)?.firstHitAfter.toFixed(2)} s`)
    )
  })
})
