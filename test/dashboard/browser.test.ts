/** The live view in a real browser, over a real server: what it shows, what it does, and whom it asks. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { CacheBackend, type CacheStats, cached, MemoryBackend } from "effect-cached"
import { browserOfFile, inPage, says, serve, submit, textOf, visit } from "./visiting.js"

const browser = browserOfFile()

const double = cached((n: number) => (n < 0 ? Effect.fail("negative") : Effect.succeed(2 * n)), {
  key: "double",
  ttl: "1 hour",
  groups: ["numbers"]
})
const hostile = `<img src=x onerror="document.title='broken into'">`
const never = cached((_: string) => Effect.never, { key: hostile, ttl: "1 hour" })

const invalidation = `JSON.stringify({ action: "invalidateGroup", name: "numbers" })`

/** With the token of the page: the status, or that the browser lets nobody see it. */
const posting = (url: string) => `fetch(${JSON.stringify(url)}, {
  method: "POST",
  headers: {
    "content-type": "application/json",
    "x-dashboard-token": document.querySelector('meta[name="token"]').content
  },
  body: ${invalidation}
}).then(({ status }) => status, () => "blocked")`

/** As another site can: without a header, with one, and without looking at the answer. */
const postingFrom = (url: string) => `(async () => {
  const tried = (init) => fetch(${JSON.stringify(url)}, { method: "POST", body: ${invalidation}, ...init }).then(({ type }) => type, () => "blocked")
  return [await tried({}), await tried({ headers: { "x-dashboard-token": "x" } }), await tried({ mode: "no-cors" })]
})()`

describe("the live view in a browser", () => {
  it.scopedLive("shows the counters, invalidates, and asks nobody but its own server", () =>
    Effect.gen(function* () {
      const cache = yield* CacheBackend
      const url = yield* serve({ allow: "invalidate", title: "A & B" })
      const context = yield* browser
      for (const n of [1, 1, 1, 2, 3]) yield* double(n)
      yield* Effect.flip(double(-1))
      const computing = yield* Effect.fork(never(hostile))
      const { asked, errors, page } = yield* visit(context, `${url}?theirs=1`)
      yield* says(page, "#state", "Live")
      yield* says(page, '[data-count="hits"]', "2")
      const stats = yield* cache.stats
      for (const name of ["hits", "staleHits", "misses", "joined", "computed", "failed", "stored"] as const) {
        yield* says(page, `[data-count="${name}"]`, `${stats[name satisfies keyof CacheStats]}`)
      }
      yield* says(page, '[data-count="entries"]', "3")
      yield* says(page, "h1", "A & B")
      const first = yield* textOf(page, "#functions tbody tr:first-child > *")
      assert.deepStrictEqual(
        [...first.slice(0, 6), ...first.slice(8)],
        ["double", "6", "33.3 %", "0", "0", "3", "1", "0", "3"]
      )
      // What a hostile key holds is text.
      assert.deepStrictEqual(yield* textOf(page, "#computing tbody th"), [`${never.cacheKey(hostile)}`])
      assert.strictEqual(yield* Effect.promise(() => page.locator("main img").count()), 0)
      assert.strictEqual(yield* Effect.promise(() => page.title()), "A & B")

      // What happens later is shown a moment later.
      yield* double(1)
      yield* says(page, '[data-count="hits"]', "3")

      yield* submit(page, "inspect", double.cacheKey(1))
      yield* Effect.promise(() => page.waitForSelector("#inspected:not(:empty)"))
      assert.match((yield* textOf(page, "#inspected"))[0] ?? "", /^Fresh until [\s\S]*\nGroups: numbers\n\d+ bytes$/)
      yield* submit(page, "delete", double.cacheKey(1))
      yield* says(page, "#invalidated", "Invalidated.")
      assert.isFalse(yield* cache.has(double.cacheKey(1)))
      assert.isTrue(yield* cache.has(double.cacheKey(2)))
      yield* submit(page, "invalidateGroup", "numbers")
      yield* says(page, "#invalidated", "Invalidated.")
      yield* Effect.promise(() => page.waitForSelector("#invalidateGroup button:enabled"))
      assert.isFalse(yield* cache.has(double.cacheKey(2)))

      yield* Effect.promise(() => page.click("#pause"))
      yield* says(page, "#state", "Paused")
      yield* Fiber.interrupt(computing)

      assert.deepStrictEqual(errors, [])
      const own = new URL(url).origin
      assert.deepStrictEqual(
        asked.filter((to) => !to.startsWith("data:") && new URL(to).origin !== own),
        []
      )
      assert.isAtLeast(asked.length, 5)
    }).pipe(Effect.provide(MemoryBackend.layer()))
  )

  it.scopedLive("is read-only unless it may invalidate, and refuses another site's page", () =>
    Effect.gen(function* () {
      const cache = yield* CacheBackend
      const [readOnly, open] = yield* Effect.all([serve(), serve({ allow: "invalidate" })])
      const context = yield* browser
      yield* double(1)
      const { page } = yield* visit(context, `${readOnly}/`)
      yield* says(page, '[data-count="misses"]', "1")
      assert.strictEqual(yield* Effect.promise(() => page.locator("#delete, #invalidateGroup").count()), 0)
      const sent = (url: string) => inPage<number | string>(page, posting(url))
      assert.strictEqual(yield* sent(readOnly), 403)
      // The page of one view may not even ask another server.
      assert.strictEqual(yield* sent(open), "blocked")
      // Nor may a page without a policy.
      const { page: foreign } = yield* visit(context, "about:blank")
      const answers = yield* inPage(foreign, postingFrom(open))
      assert.deepStrictEqual(answers, ["blocked", "blocked", "blocked"])
      assert.isTrue(yield* cache.has(double.cacheKey(1)))
    }).pipe(Effect.provide(MemoryBackend.layer()))
  )

  it.scopedLive("does not keep its server from closing while somebody looks", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const url = yield* Scope.extend(serve(), scope)
      const response = yield* Effect.promise(() => fetch(`${url}?events`))
      const reader = response.body?.getReader()
      yield* Effect.promise(async () => reader?.read())
      yield* Effect.fork(
        Effect.promise(async () => {
          while (reader !== undefined && !(await reader.read()).done);
        })
      )
      // Without an end of the stream it waits for ever.
      yield* Scope.close(scope, Exit.void)
    }).pipe(Effect.provide(MemoryBackend.layer()))
  )
})
