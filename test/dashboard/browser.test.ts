/** The live view in a real browser, over a real server: what it shows, what it does, and whom it asks. */
import { createServer } from "node:http"
import { HttpRouter, HttpServer } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Scope } from "effect"
import { CacheBackend, type CacheStats, cached, MemoryBackend } from "effect-cached"
import * as Dashboard from "effect-cached/Dashboard"
import type { BrowserContext, Page } from "playwright-core"
import { browser } from "../servers/chromium.js"
import { eventually } from "../suites/cached/ground.js"

const double = cached((n: number) => (n < 0 ? Effect.fail("negative") : Effect.succeed(2 * n)), {
  key: "double",
  ttl: "1 hour",
  groups: ["numbers"]
})
const hostile = `<img src=x onerror="document.title='broken into'">`
const never = cached((_: string) => Effect.never, { key: hostile, ttl: "1 hour" })

/** Before the browser, which so ends first: it keeps connections in stock. Under a path, as a program mounts it, with and without the slash behind it. */
const serve = (options?: Dashboard.DashboardOptions) =>
  Effect.gen(function* () {
    const router = HttpRouter.empty.pipe(HttpRouter.mountApp("/admin/cache", Dashboard.httpApp(options)))
    const context = yield* Layer.build(
      Layer.provideMerge(HttpServer.serve(router), NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
    )
    const address = yield* Effect.provide(HttpServer.addressFormattedWith(Effect.succeed), context)
    return `${address}/admin/cache`
  })

/** A page, what its script did wrong, and what it has asked for. */
const visit = (context: BrowserContext, url: string) =>
  Effect.gen(function* () {
    const page = yield* Effect.acquireRelease(
      Effect.promise(() => context.newPage()),
      (page) => Effect.promise(() => page.close())
    )
    const errors: Array<string> = []
    const asked: Array<string> = []
    page.on("pageerror", ({ message }) => errors.push(message))
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) errors.push(message.text())
    })
    page.on("request", (request) => asked.push(request.url()))
    yield* Effect.promise(() => page.goto(url))
    return { page, errors, asked }
  })

/** Runs in the page. A text: the types of a browser are not those of this program. */
const inPage = <A>(page: Page, script: string): Effect.Effect<A> => Effect.promise(() => page.evaluate(script))

const says = (page: Page, selector: string, text: string) =>
  eventually(
    Effect.delay(
      inPage<string | undefined>(page, `document.querySelector(${JSON.stringify(selector)})?.textContent`),
      "20 millis"
    ),
    (found) => found === text
  )

const submit = (page: Page, form: string, name: string) =>
  Effect.promise(async () => {
    await page.fill(`#${form}-name`, name)
    await page.press(`#${form}-name`, "Enter")
  })

const textOf = (page: Page, selector: string) => Effect.promise(() => page.locator(selector).allTextContents())

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
