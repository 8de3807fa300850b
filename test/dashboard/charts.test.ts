/** The charts in a real browser: drawn, true, in the colours of the page, as wide as it, and told to those who don't see them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { cached, MemoryBackend } from "effect-cached"
import type { Page } from "playwright-core"
import { browserOfFile, inPage, says, serve, textOf, until, visit } from "./visiting.js"

const browser = browserOfFile()

const double = cached((n: number) => Effect.succeed(2 * n), { key: "double", ttl: "1 hour" })

/** How high above the bottom the highest dot of this colour is in a chart, in parts of its height; 0 if there is none. */
const heightOf = (chart: string, colour: string) => `(() => {
  const canvas = document.querySelector("#${chart} canvas")
  if (!canvas || canvas.width === 0) return 0
  const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height })
  const context = copy.getContext("2d", { willReadFrequently: true })
  context.drawImage(canvas, 0, 0)
  const { data } = context.getImageData(0, 0, copy.width, copy.height)
  const wanted = "${colour}".match(/[0-9a-f]{2}/g).map((part) => parseInt(part, 16))
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] === 255 && wanted.every((part, index) => Math.abs(data[at + index] - part) < 8)) {
      return 1 - Math.floor(at / 4 / canvas.width) / canvas.height
    }
  }
  return 0
})()`

/** The first three are lines: hits, stale hits and misses. */
const light = { first: "0b6bcb", second: "b35900", third: "7a3fc0", text: "57606a" }
const dark = { first: "58a6ff", text: "a3adb8" }

const isLive = (page: Page) => says(page, "#state", "Live")

/** Once two samples are there. */
const isDrawn = (page: Page) =>
  until<string | null>(
    page,
    `document.querySelector("#answers .plot").getAttribute("aria-label")`,
    (label) => label?.includes("hits 0 now") === true
  )

const sizeOf = (page: Page, selector: string) =>
  inPage<{ readonly width: number; readonly height: number }>(
    page,
    `(({ width, height }) => ({ width, height }))(document.querySelector("${selector}").getBoundingClientRect())`
  )

describe("a chart", () => {
  it.scopedLive("is drawn, and follows what the cache does", () =>
    Effect.gen(function* () {
      const url = yield* serve()
      const context = yield* browser
      const { errors, page } = yield* visit(context, url)
      yield* isDrawn(page)
      // A line of zeros lies on the axis: above the times, below the rest.
      yield* until<number>(page, heightOf("answers", light.second), (height) => height > 0.1 && height < 0.25)
      yield* until<number>(page, heightOf("answers", light.text), (height) => height > 0.5)

      // One key for ever: hits grow, misses hardly.
      const calls = Effect.repeatN(Effect.delay(double(1), "5 millis"), 300)
      yield* calls
      yield* until<number>(page, heightOf("answers", light.first), (height) => height > 0.8)
      assert.isBelow(yield* inPage<number>(page, heightOf("answers", light.second)), 0.25)
      assert.isBelow(yield* inPage<number>(page, heightOf("computations", light.second)), 0.25)

      // What it tells those who don't see it is what stands below it.
      yield* Effect.promise(() => page.click("#pause"))
      const label = yield* inPage<string>(page, `document.querySelector("#answers .plot").getAttribute("aria-label")`)
      const [hits, stale, misses] = yield* textOf(page, "#answers [data-now]")
      const now =
        /^Answers, a second, of the last 60 seconds: hits ([\d.,]+) now, ([\d.,]+) at most; stale ([\d.,]+) now, 0 at most; misses ([\d.,]+) now/.exec(
          label
        )
      assert.deepStrictEqual([now?.[1], now?.[3], now?.[4]], [hits, stale, misses], label)
      assert.isAbove(Number(now?.[2]), 0)
      assert.deepStrictEqual(errors, [])
    }).pipe(Effect.provide(MemoryBackend.layer()))
  )

  it.scopedLive("has the colours of the page, light and dark, also while it is paused", () =>
    Effect.gen(function* () {
      const url = yield* serve()
      const context = yield* browser
      const { page } = yield* visit(context, url)
      yield* Effect.promise(() => page.emulateMedia({ colorScheme: "light" }))
      yield* isDrawn(page)
      yield* Effect.promise(() => page.click("#pause"))
      yield* says(page, "#state", "Paused")
      const seen = (colour: string) => until<number>(page, heightOf("answers", colour), (height) => height > 0)
      yield* seen(light.text)
      yield* Effect.promise(() => page.emulateMedia({ colorScheme: "dark" }))
      yield* seen(dark.text)
      assert.strictEqual(yield* inPage<number>(page, heightOf("answers", light.text)), 0)
      yield* Effect.promise(() => page.emulateMedia({ colorScheme: "light" }))
      yield* seen(light.text)
    }).pipe(Effect.provide(MemoryBackend.layer()))
  )

  it.scopedLive("is as wide as the page lets it be, and as high as ever", () =>
    Effect.gen(function* () {
      const url = yield* serve()
      const context = yield* browser
      const { page } = yield* visit(context, url)
      yield* isDrawn(page)
      const { height } = yield* sizeOf(page, "#answers .uplot")
      for (const width of [1400, 320, 700]) {
        yield* Effect.promise(() => page.setViewportSize({ width, height: 900 }))
        yield* until<boolean>(
          page,
          `document.querySelector("#answers canvas").getBoundingClientRect().width === document.querySelector("#answers .plot").clientWidth`,
          (fits) => fits
        )
        assert.strictEqual((yield* sizeOf(page, "#answers .uplot")).height, height)
        assert.isAtMost(yield* inPage<number>(page, "document.documentElement.scrollWidth"), width)
      }
    }).pipe(Effect.provide(MemoryBackend.layer()))
  )

  it.scopedLive("tells the figures of the time that is pointed at", () =>
    Effect.gen(function* () {
      const url = yield* serve()
      const context = yield* browser
      const { page } = yield* visit(context, url)
      yield* isDrawn(page)
      assert.deepStrictEqual(yield* textOf(page, "#answers [data-at]"), ["Now"])
      yield* Effect.promise(() => page.hover("#answers .u-over"))
      yield* until<string>(page, `document.querySelector("#answers [data-at]").textContent`, (text) =>
        /^At \d\d:\d\d:\d\d$/.test(text)
      )
      yield* Effect.promise(() => page.hover("h1"))
      yield* says(page, "#answers [data-at]", "Now")
    }).pipe(Effect.provide(MemoryBackend.layer()))
  )

  it.scopedLive("moves nothing when it is drawn", () =>
    Effect.gen(function* () {
      const url = yield* serve({ allow: "invalidate" })
      const context = yield* browser
      for (let n = 0; n < 10; n++) yield* cached(Effect.succeed(n), { key: `function ${n}`, ttl: "1 hour" })
      yield* Effect.fork(cached(Effect.never, { key: "endless", ttl: "1 hour" }))
      const { page } = yield* visit(context, url)
      for (const width of [1400, 360]) {
        yield* Effect.promise(() => page.setViewportSize({ width, height: 900 }))
        // From the beginning, in a window that has its size already.
        yield* Effect.promise(() => page.reload())
        yield* inPage(
          page,
          `globalThis.moved = 0; new PerformanceObserver((list) => {
            for (const { value } of list.getEntries()) moved += value
          }).observe({ type: "layout-shift", buffered: true })`
        )
        yield* isLive(page)
        yield* isDrawn(page)
        yield* says(page, "#computing tbody th", "endless")
        assert.isBelow(yield* inPage<number>(page, "moved"), 0.01, `${width} wide`)
      }
    }).pipe(Effect.provide(MemoryBackend.layer()))
  )
})
