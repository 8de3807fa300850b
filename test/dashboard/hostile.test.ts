/** Names and keys that were made to break a page, and more of them than it can show. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { CacheBackend, cached, MemoryBackend } from "effect-cached"
import { shortened, visible } from "../../src/internal/dashboard/visible.js"
import { browserOfFile, inPage, says, serve, submit, textOf, visit } from "./visiting.js"

const browser = browserOfFile()

const names = [
  `<img src=x onerror="document.title='broken into'">`,
  `"'\`</script></style><script>document.title='broken into'</script>`,
  "{{constructor.constructor('return 1')()}} <%= 1 %>",
  "&lt;b&gt; &#60;",
  "x".repeat(250),
  "é".repeat(125),
  "__proto__",
  "abc\u202Egnp.exe",
  "line\nbreak\ttab\u0000nul",
  "עברית and العربية",
  "👩‍👩‍👧 \uD83D"
]

/** As they may be seen: those with marks that are not are spelled out. */
const shown = names
  .with(7, "abc\\u202egnp.exe")
  .with(8, "line\\u000abreak\\u0009tab\\u0000nul")
  .with(10, "👩‍👩‍👧 \\ud83d")

describe("a text that may be seen", () => {
  it("spells out what would be invisible, or change the order of others", () => {
    assert.strictEqual(visible("a\u202Eb\u200Bc\u2028d\u0007"), "a\\u202eb\\u200bc\\u2028d\\u0007")
    assert.strictEqual(visible(`<b> "é" 👩‍👩‍👧 עברית`), `<b> "é" 👩‍👩‍👧 עברית`)
  })

  it("is cut between characters", () => {
    assert.strictEqual(shortened("x".repeat(300)), "x".repeat(300))
    assert.strictEqual(shortened("x".repeat(301)), `${"x".repeat(300)}…`)
    assert.strictEqual(shortened(`${"x".repeat(299)}👍y`), `${"x".repeat(299)}…`)
  })
})

describe("the page", () => {
  it.scopedLive("shows hostile names and keys as the texts that they are", () =>
    Effect.gen(function* () {
      const cache = yield* CacheBackend
      const title = names.slice(0, 3).join("")
      const url = yield* serve({ title, allow: "invalidate" })
      const context = yield* browser
      for (const key of names) yield* cached(Effect.succeed(1), { key, ttl: "1 hour" })
      const never = cached((_: string) => Effect.never, { key: "never", ttl: "1 hour" })
      const computing = yield* Effect.fork(
        Effect.all(
          names.map((name) => never(name)),
          { concurrency: "unbounded" }
        )
      )
      yield* cache.set("grouped", 1, { groups: ["one\nFresh until 9999", `<i>"two"</i>`, "th\u202Eree"] })
      const { errors, page } = yield* visit(context, url)
      yield* says(page, "#computing tbody tr:nth-child(11) td:nth-child(3)", "1")
      for (const width of [1400, 320]) {
        yield* Effect.promise(() => page.setViewportSize({ width, height: 900 }))
        assert.isAtMost(yield* inPage<number>(page, "document.documentElement.scrollWidth"), width)
      }
      const rows = yield* textOf(page, "#functions tbody th")
      assert.sameMembers(rows, [...shown, "never", "direct"])
      const keys = yield* textOf(page, "#computing tbody th")
      assert.strictEqual(keys.length, names.length)
      assert.includeMembers(keys, [`never(${JSON.stringify(names[0])})`, `never("abc\\u202egnp.exe")`])
      assert.strictEqual(yield* Effect.promise(() => page.title()), title.trim().replace(/\s+/g, " "))
      assert.strictEqual(
        yield* inPage<number>(page, `document.querySelectorAll("img, main script, b:not([data-now])").length`),
        0
      )

      yield* submit(page, "inspect", "grouped")
      yield* Effect.promise(() => page.waitForSelector("#inspected:not(:empty)"))
      const lines = (yield* textOf(page, "#inspected"))[0]?.split("\n") ?? []
      assert.strictEqual(lines.length, 3)
      assert.strictEqual(lines[1], `Groups: <i>"two"</i>, one\\u000aFresh until 9999, th\\u202eree`)
      for (const name of names.slice(0, 8)) {
        yield* submit(page, "delete", name)
        yield* Effect.promise(() => page.waitForSelector("#invalidated:not(:empty)"))
        yield* Effect.promise(() => page.waitForSelector("#delete button:enabled"))
      }
      yield* Fiber.interrupt(computing)
      assert.deepStrictEqual(errors, [])
    }).pipe(Effect.provide(MemoryBackend.layer()))
  )

  it.scopedLive("shows 100 of 1,000 functions, those that are called most, and says how many more there are", () =>
    Effect.gen(function* () {
      const url = yield* serve()
      const context = yield* browser
      const functions = Array.from({ length: 1000 }, (_, index) =>
        cached(Effect.succeed(index), { key: `function ${index}`, ttl: "1 hour" })
      )
      yield* Effect.all(functions)
      for (const used of functions.slice(700, 800)) yield* used
      const { errors, page } = yield* visit(context, url)
      yield* says(page, '[data-count="misses"]', "1,000")
      yield* says(page, '[data-more="functions"]', "and 900 more")
      const rows = yield* textOf(page, "#functions tbody th")
      assert.sameMembers(
        rows,
        Array.from({ length: 100 }, (_, index) => `function ${700 + index}`)
      )
      assert.deepStrictEqual(errors, [])
    }).pipe(Effect.provide(MemoryBackend.layer()))
  )
})
