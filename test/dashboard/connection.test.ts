/** The page and its connection: what it says when that is lost, refused or dead, and that it comes back without being told to. */
import { createServer, request } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Scope } from "effect"
import { CacheBackend, cached, MemoryBackend } from "effect-cached"
import { browserWith } from "../servers/chromium.js"
import { relayTo } from "../servers/relay.js"
import { browserOfFile, inPage, path, says, serve, submit, textOf, visit } from "./visiting.js"

const browser = browserOfFile()

const double = cached((n: number) => Effect.succeed(2 * n), { key: "double", ttl: "1 hour" })

const portOf = (url: string): number => Number(new URL(url).port)

/** Looks without a browser, and reads nothing. */
const look = (url: string) =>
  Effect.promise(async () => {
    const abort = new AbortController()
    const { status } = await fetch(`${url}?events`, { signal: abort.signal })
    return { status, leave: Effect.sync(() => abort.abort()) }
  })

/** A proxy that asks its server under the server's own name, as nginx does if nobody tells it otherwise. */
const proxyTo = (port: number, headers: Readonly<Record<string, string>>) =>
  Effect.acquireRelease(
    Effect.async<{ readonly port: number; readonly close: () => void }>((resume) => {
      const server = createServer((asked, answer) => {
        const { method = "GET", url: path = "/" } = asked
        const sent = { ...asked.headers, host: `127.0.0.1:${port}`, ...headers }
        const onward = request({ port, host: "127.0.0.1", method, path, headers: sent }, (from) => {
          answer.writeHead(from.statusCode ?? 502, from.headers)
          from.pipe(answer)
        })
        onward.on("error", () => answer.destroy())
        answer.on("close", () => onward.destroy())
        asked.pipe(onward)
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        if (address === null || typeof address === "string") return
        const close = () => {
          server.closeAllConnections()
          server.close()
        }
        resume(Effect.succeed({ port: address.port, close }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )

/** Looks at the view through a relay, under a clock of the page's own, until the first sample under that clock has come. */
const visitThroughRelay = Effect.gen(function* () {
  const url = yield* serve()
  const relay = yield* relayTo({ host: "127.0.0.1", port: portOf(url) })
  const context = yield* browser
  const { page } = yield* visit(context, `http://${relay.address}${path}`)
  yield* says(page, "#state", "Live")
  yield* Effect.promise(() => page.clock.install())
  yield* double(1)
  yield* says(page, '[data-count="misses"]', "1")
  return { page, relay }
})

describe("the page", () => {
  it.scopedLive("says that its server is gone, and shows the next one at the same address", () =>
    Effect.gen(function* () {
      const serving = (port: number) =>
        Effect.gen(function* () {
          const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
          const context = yield* Layer.buildWithScope(MemoryBackend.layer(), scope)
          const url = yield* Effect.provide(Scope.extend(serve({ allow: "invalidate" }, port), scope), context)
          return { url, call: Effect.provide(double(1), context), end: Scope.close(scope, Exit.void) }
        })
      const first = yield* serving(0)
      for (let call = 0; call < 10; call++) yield* first.call
      const context = yield* browser
      const { page } = yield* visit(context, first.url)
      yield* says(page, '[data-count="hits"]', "9")
      yield* Effect.promise(() => page.waitForSelector("#answers canvas"))
      yield* first.end
      yield* says(page, "#state", "No connection, trying again")

      const second = yield* serving(portOf(first.url))
      yield* second.call
      yield* second.call
      yield* says(page, "#state", "Live")
      yield* says(page, '[data-count="hits"]', "1")
      // Counters that began anew are no calls.
      assert.deepStrictEqual(yield* textOf(page, "#answers [data-now]"), ["–", "–", "–"])
      yield* says(page, '#answers [data-now="hits"]', "0")
      // The new process knows nothing of the old page's token.
      yield* submit(page, "delete", double.cacheKey(1))
      yield* says(page, "#invalidated", "The page is out of date. Load it again.")
      yield* Effect.promise(() => page.reload())
      yield* submit(page, "delete", double.cacheKey(1))
      yield* says(page, "#invalidated", "Invalidated.")
    })
  )

  it.scopedLive("notices a connection that is dead and tells nobody", () =>
    Effect.gen(function* () {
      const { page, relay } = yield* visitThroughRelay
      relay.swallow = true
      yield* Effect.promise(() => page.clock.fastForward(11_000))
      yield* says(page, "#state", "No connection, trying again")
      relay.swallow = false
      yield* says(page, "#state", "Live")
    }).pipe(Effect.provide(MemoryBackend.layer()))
  )

  it.scopedLive("says that it is refused where 50 look already, and looks when one of them has left", () =>
    Effect.gen(function* () {
      const url = yield* serve()
      const context = yield* browser
      const viewers = yield* Effect.all(
        Array.from({ length: 50 }, () => look(url)),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(new Set(viewers.map(({ status }) => status)), new Set([200]))
      const { page } = yield* visit(context, url)
      yield* says(page, "#state", "Refused: too many viewers, or not signed in")
      yield* viewers[0]?.leave ?? Effect.void
      yield* says(page, "#state", "Live")
      yield* Effect.forEach(viewers, ({ leave }) => leave)
    }).pipe(Effect.provide(MemoryBackend.layer()))
  )

  it.scopedLive("may ask through a proxy that changes its host and tells it, and not through one that hides it", () =>
    Effect.gen(function* () {
      const cache = yield* CacheBackend
      const url = yield* serve({ allow: "invalidate" })
      // To a name that is not this machine's and without TLS, a browser sends no `Sec-Fetch-Site`.
      const context = yield* browserWith(["--host-resolver-rules=MAP cache.example 127.0.0.1", "--no-proxy-server"])
      const through = (headersFor: (host: string) => Readonly<Record<string, string>>, told: string) =>
        Effect.gen(function* () {
          yield* double(1)
          const headers: Record<string, string> = {}
          const { port } = yield* proxyTo(portOf(url), headers)
          const host = `cache.example:${port}`
          Object.assign(headers, headersFor(host))
          const { page } = yield* visit(context, `http://${host}${path}`)
          yield* says(page, "#state", "Live")
          assert.isFalse(yield* inPage<boolean>(page, "isSecureContext"))
          yield* submit(page, "delete", double.cacheKey(1))
          yield* says(page, "#invalidated", told)
          return yield* cache.has(double.cacheKey(1))
        })
      assert.isFalse(yield* through((host) => ({ host }), "Invalidated."))
      assert.isFalse(yield* through((host) => ({ "x-forwarded-host": `${host}, inner.example` }), "Invalidated."))
      const refused = "The request comes from another site, or a proxy has changed its host."
      assert.isTrue(yield* through(() => ({}), refused))
      assert.isTrue(yield* through(() => ({ "x-forwarded-host": "other.example" }), refused))
    }).pipe(Effect.provide(MemoryBackend.layer()))
  )

  it.scopedLive("looks as long as it is seen: paused it asks nothing", () =>
    Effect.gen(function* () {
      const { page, relay } = yield* visitThroughRelay
      yield* Effect.promise(() => page.click("#pause"))
      yield* says(page, "#state", "Paused")
      const asked = () =>
        Buffer.concat(relay.sent)
          .toString()
          .match(/GET \S*\?events/g)?.length
      const before = asked()
      assert.isDefined(before)
      // Longer than it takes to notice a dead connection.
      yield* Effect.promise(() => page.clock.fastForward(11_000))
      yield* Effect.sleep("100 millis")
      assert.strictEqual(asked(), before)
      yield* says(page, "#state", "Paused")
      yield* Effect.promise(() => page.click("#pause"))
      yield* says(page, "#state", "Live")
    }).pipe(Effect.provide(MemoryBackend.layer()))
  )
})
