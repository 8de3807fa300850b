/** The page for those who use the keyboard, hear it, or see little contrast. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { cached, MemoryBackend } from "effect-cached"
import type { Page } from "playwright-core"
import { browserOfFile, inPage, says, serve, visit } from "./visiting.js"

const browser = browserOfFile()

/**
 * Each text whose contrast with what is behind it is less than 4.5 to 1 (WCAG AA), and each control whose border has less than 3.
 */
const tooFaint = `(() => {
  const canvas = document.createElement("canvas")
  const context = canvas.getContext("2d", { willReadFrequently: true })
  const partsOf = (colour) => {
    context.clearRect(0, 0, 1, 1)
    context.fillStyle = colour
    context.fillRect(0, 0, 1, 1)
    return [...context.getImageData(0, 0, 1, 1).data]
  }
  const light = ([...rgb]) => {
    const [r, g, b] = rgb.map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const contrast = (one, other) => {
    const [low, high] = [light(partsOf(one)), light(partsOf(other))].sort((a, b) => a - b)
    return (high + 0.05) / (low + 0.05)
  }
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const { backgroundColor } = getComputedStyle(node)
      if (partsOf(backgroundColor)[3] === 255) return backgroundColor
    }
    return "white"
  }
  const found = []
  for (const node of document.querySelectorAll("body *:not(script):not(noscript)")) {
    const { borderTopColor, color } = getComputedStyle(node)
    const hasText = [...node.childNodes].some(({ nodeType, data }) => nodeType === 3 && data.trim() !== "")
    if (hasText && contrast(color, behind(node)) < 4.5) found.push(node.outerHTML.slice(0, 80))
    if (["INPUT", "BUTTON"].includes(node.tagName) && contrast(borderTopColor, behind(node.parentElement)) < 3) found.push(node.outerHTML)
  }
  for (const name of ["--a", "--b", "--c"]) {
    const colour = getComputedStyle(document.documentElement).getPropertyValue(name)
    if (contrast(colour, behind(document.querySelector(".plot"))) < 3) found.push(name)
  }
  return found
})()`

/** What has the focus after each press of the tab key, and whether it can be seen. */
const tabbed = (page: Page, presses: number) =>
  Effect.forEach(Array.from({ length: presses }), () =>
    Effect.zipRight(
      Effect.promise(() => page.keyboard.press("Tab")),
      inPage<string>(
        page,
        `(() => {
          const node = document.activeElement
          const { outlineStyle, outlineWidth } = getComputedStyle(node)
          return (node.id || node.form?.id + " " + node.tagName) + (outlineStyle === "solid" && outlineWidth === "3px" ? "" : " without a ring")
        })()`
      )
    )
  )

describe("the page", () => {
  it.scopedLive("has enough contrast, light and dark", () =>
    Effect.gen(function* () {
      const url = yield* serve({ allow: "invalidate" })
      const context = yield* browser
      yield* Effect.ignore(cached(Effect.fail("wrong"), { key: "failing", ttl: "1 hour" }))
      const { page } = yield* visit(context, url)
      for (const colorScheme of ["light", "dark"] as const) {
        yield* Effect.promise(() => page.emulateMedia({ colorScheme }))
        yield* says(page, "#state", "Live")
        yield* says(page, "#functions .wrong", "1")
        assert.deepStrictEqual(yield* inPage<ReadonlyArray<string>>(page, tooFaint), [], colorScheme)
      }
    }).pipe(Effect.provide(MemoryBackend.layer()))
  )

  it.scopedLive("goes by the tab key from top to bottom, and shows where", () =>
    Effect.gen(function* () {
      const url = yield* serve({ allow: "invalidate" })
      const context = yield* browser
      const { page } = yield* visit(context, url)
      yield* says(page, "#state", "Live")
      assert.deepStrictEqual(yield* tabbed(page, 10), [
        "pause",
        "functions-box",
        "computing-box",
        "breakers-box",
        "inspect-name",
        "inspect BUTTON",
        "delete-name",
        "delete BUTTON",
        "invalidateGroup-name",
        "invalidateGroup BUTTON"
      ])
    }).pipe(Effect.provide(MemoryBackend.layer()))
  )

  it.scopedLive("names each control and picture, and speaks up only when something has changed", () =>
    Effect.gen(function* () {
      const url = yield* serve({ allow: "invalidate" })
      const context = yield* browser
      const { page } = yield* visit(context, url)
      yield* says(page, "#state", "Live")
      for (const name of ["Key, as f.cacheKey(…) prints it", "Key", "Group"]) {
        assert.strictEqual(yield* Effect.promise(() => page.getByLabel(name, { exact: true }).count()), 1)
      }
      yield* Effect.promise(() => page.waitForSelector("#answers canvas"))
      const pictures = yield* inPage<ReadonlyArray<string | null>>(
        page,
        `[...document.querySelectorAll("canvas")].map((node) => node.closest("[role=img]")?.getAttribute("aria-label"))`
      )
      assert.strictEqual(pictures.length, 2)
      for (const label of pictures) assert.match(label ?? "", / now, .* at most/)
      // Of what is read out as it changes, nothing changes while all is well.
      yield* inPage(
        page,
        `globalThis.spoken = []; for (const node of document.querySelectorAll("[role=status], [aria-live], output")) {
          new MutationObserver(() => spoken.push(node.id)).observe(node, { subtree: true, childList: true, characterData: true })
        }`
      )
      const double = cached((n: number) => Effect.succeed(n), { key: "double", ttl: "1 hour" })
      for (const n of [1, 2, 3]) {
        yield* double(n)
        yield* says(page, '[data-count="misses"]', `${n}`)
      }
      assert.deepStrictEqual(yield* inPage<ReadonlyArray<string>>(page, "spoken"), [])
    }).pipe(Effect.provide(MemoryBackend.layer()))
  )
})
