/** What the live view answers, to whom, and for how long it costs anything. */
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Metric, Scope } from "effect"
import {
  CacheBackend,
  type CacheBackendService,
  cached,
  MemoryBackend,
  StoreBackend,
  TieredBackend
} from "effect-cached"
import type * as Dashboard from "effect-cached/Dashboard"
import { engine } from "../../src/internal/memoized/engine.js"
import { RecentTimes } from "../../src/internal/telemetry/RecentTimes.js"
import { eventually } from "../suites/cached/ground.js"
import { asyncStore } from "../support/asyncStore.js"
import { memoryStore } from "../support/backend.js"
import { isListened } from "../support/listening.js"
import { type Ask, asking, looking, origin, post, type Sample, tokenIn } from "./support.js"

const double = cached((n: number) => (n < 0 ? Effect.fail("negative") : Effect.succeed(2 * n)), {
  key: "double",
  ttl: "1 hour",
  groups: ["numbers"]
})

const { resolve } = createRequire(import.meta.url)
const fileOf = (path: string): string => readFileSync(resolve(path), "utf8")

const memory = Effect.provide(MemoryBackend.layer())

const promised = <A>(work: () => Promise<A>) => Effect.promise(work)

const tokenOf = (ask: Ask) => promised(async () => tokenIn(await (await ask()).text()))

const answered = (response: Response) =>
  promised(async () => ({ status: response.status, body: (await response.json()) as Sample }))

const sampled = (cache: CacheBackendService, isWanted: (sample: Sample) => boolean = () => true) =>
  promised(async () => {
    const viewer = await looking(asking(cache))
    try {
      while (true) {
        const sample = await viewer.next()
        if (isWanted(sample)) return sample
      }
    } finally {
      await viewer.leave()
    }
  })

describe("the page", () => {
  it.live("comes with a strict policy: its own script and style by their hashes, and no frame around it", () =>
    Effect.gen(function* () {
      const ask = asking(yield* CacheBackend)
      const response = yield* promised(() => ask())
      const html = yield* promised(() => response.text())
      assert.strictEqual(response.status, 200)
      assert.strictEqual(response.headers.get("content-type"), "text/html; charset=utf-8")
      const policy = response.headers.get("content-security-policy") ?? ""
      const textsIn = (tag: string) =>
        [...html.matchAll(new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`, "g"))].map(([, text = ""]) => text)
      const hashes = (texts: ReadonlyArray<string>) =>
        texts.map((text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`).join(" ")
      const rules = new Map(policy.split("; ").map((rule) => [rule.split(" ")[0], rule.split(" ").slice(1).join(" ")]))
      const [scripts, styles] = [textsIn("script"), textsIn("style")]
      assert.strictEqual(rules.get("default-src"), "'none'")
      assert.strictEqual(rules.get("script-src"), hashes(scripts))
      assert.strictEqual(rules.get("style-src"), hashes(styles))
      assert.deepStrictEqual([scripts.length, styles.length], [2, 2])
      // The library stands in the page as it is in its package.
      assert.strictEqual(scripts[0], fileOf("uplot/dist/uPlot.iife.min.js"))
      assert.strictEqual(styles[0], fileOf("uplot/dist/uPlot.min.css"))
      assert.notMatch(policy, /unsafe|https?:|\*/)
      assert.strictEqual(rules.get("connect-src"), "'self'")
      assert.strictEqual(rules.get("base-uri"), "'none'")
      assert.strictEqual(rules.get("form-action"), "'none'")
      assert.strictEqual(rules.get("frame-ancestors"), "'none'")
      assert.strictEqual(response.headers.get("x-frame-options"), "DENY")
      assert.strictEqual(response.headers.get("x-content-type-options"), "nosniff")
      assert.strictEqual(response.headers.get("cache-control"), "no-store")
      assert.isNull(response.headers.get("access-control-allow-origin"))
      assert.notMatch(html.replace(scripts[0] ?? "", ""), /https?:|\/\/[a-z]| on[a-z]+="| style="/)
    }).pipe(memory)
  )

  it.live("shows its title as text, whatever is in it", () =>
    Effect.gen(function* () {
      const title = `</title><script>alert("1")</script>&'`
      const html = yield* Effect.flatMap(CacheBackend, (cache) =>
        promised(async () => (await asking(cache, { title })()).text())
      )
      assert.include(html, "<h1>&lt;/title&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;</h1>")
      assert.strictEqual(html.match(/<script/g)?.length, 2)
    }).pipe(memory)
  )

  it.live("offers to invalidate only where that is allowed", () =>
    Effect.gen(function* () {
      const cache = yield* CacheBackend
      const html = (options: Dashboard.DashboardOptions) =>
        promised(async () => (await asking(cache, options)()).text())
      assert.notInclude(yield* html({}), "invalidateGroup-name")
      assert.include(yield* html({ allow: "invalidate" }), "invalidateGroup-name")
    }).pipe(memory)
  )

  it.live("has a token of its own for each cache and each view", () =>
    Effect.gen(function* () {
      const cache = yield* CacheBackend
      const [one, other] = yield* Effect.all([tokenOf(asking(cache)), tokenOf(asking(cache))])
      assert.match(one, /^[\w-]{32}$/)
      assert.notStrictEqual(one, other)
    }).pipe(memory)
  )

  it.live("is changed by no method but POST", () =>
    Effect.gen(function* () {
      const ask = asking(yield* CacheBackend, { allow: "invalidate" })
      for (const method of ["PUT", "DELETE", "PATCH", "OPTIONS"]) {
        const response = yield* promised(() => ask({ method }))
        assert.strictEqual(response.status, 405)
        assert.strictEqual(response.headers.get("allow"), "GET, HEAD, POST")
        assert.isNull(response.headers.get("access-control-allow-origin"))
      }
    }).pipe(memory)
  )
})

describe("a sample", () => {
  it.live("has the counts of the cache and of each function", () =>
    Effect.gen(function* () {
      const cache = yield* CacheBackend
      for (const n of [1, 1, 1, 2, 2, 3]) yield* double(n)
      yield* Effect.flip(double(-1))
      yield* cache.set("direct", 1)
      yield* cache.get("direct")
      const sample = yield* sampled(cache)
      const { bytes: _, entries: __, evictions: ___, ...counts } = yield* cache.stats
      assert.deepStrictEqual(sample.counts, counts)
      assert.strictEqual(counts.hits, 4)
      assert.deepStrictEqual(sample.size, { entries: 4, bytes: null, evictions: 0 })
      const [first, second] = sample.functions
      assert.strictEqual(first.name, "double")
      assert.deepInclude(first.counts, { hits: 3, misses: 4, computed: 3, failed: 1 })
      assert.strictEqual(first.entries, 3)
      assert.isNumber(first.p50)
      assert.isNumber(first.p95)
      assert.strictEqual(second.name, "direct")
      assert.deepInclude(second.counts, { hits: 1, misses: 0, computed: 0 })
      assert.isNull(sample.latency)
      assert.isNull(sample.tierHits)
    }).pipe(memory)
  )

  it.live("counts for one cache, whatever other caches of the process do", () =>
    Effect.gen(function* () {
      yield* Effect.provide(double(1), MemoryBackend.layer())
      yield* double(1)
      const sample = yield* Effect.flatMap(CacheBackend, (cache) => sampled(cache))
      assert.strictEqual(sample.counts.misses, 1)
      assert.strictEqual(sample.functions[0].counts.misses, 1)
    }).pipe(memory)
  )

  it.live("tells what is being computed, for how long, and how many wait", () =>
    Effect.gen(function* () {
      const cache = yield* CacheBackend
      const gate = yield* Deferred.make<void>()
      const slow = cached((n: number) => Effect.as(Deferred.await(gate), n), { key: "slow", ttl: "1 hour" })
      const callers = yield* Effect.fork(Effect.all([slow(1), slow(1), slow(1)], { concurrency: "unbounded" }))
      const sample = yield* sampled(cache, ({ computing }) => computing[0]?.waiters === 3 && computing[0]?.age > 0)
      assert.strictEqual(sample.computing.length, 1)
      assert.strictEqual(sample.computing[0].key, "slow(1)")
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(callers)
      assert.deepStrictEqual((yield* sampled(cache)).computing, [])
    }).pipe(memory)
  )

  it.live("is bounded, and counts what it leaves out", () =>
    Effect.gen(function* () {
      const cache = yield* CacheBackend
      for (let index = 0; index < 130; index++) yield* cached(Effect.succeed(1), { key: `f${index}`, ttl: "1 hour" })
      const slow = cached((_: number) => Effect.never, { key: "slow", ttl: "1 hour" })
      const callers = yield* Effect.fork(
        Effect.forEach(Array.from({ length: 70 }), (_, index) => slow(index), { concurrency: "unbounded" })
      )
      const sample = yield* sampled(cache, ({ computing }) => computing.length > 0)
      assert.strictEqual(sample.functions.length, 100)
      assert.strictEqual(sample.otherFunctions, 31)
      assert.strictEqual(sample.computing.length, 50)
      assert.strictEqual(sample.otherComputing, 20)
      yield* Fiber.interrupt(callers)
    }).pipe(memory)
  )

  it.live("has the latency of a store on a network, and what the tier has answered", () =>
    Effect.gen(function* () {
      const cache = yield* CacheBackend
      yield* double(1)
      yield* double(1)
      yield* double(1)
      const sample = yield* sampled(cache, ({ latency }) => latency !== null)
      assert.isAtLeast(sample.latency.millis, 0)
      // The tier keeps what its own process has stored.
      assert.strictEqual(sample.tierHits, 2)
      assert.strictEqual(sample.counts.hits, 2)
      assert.strictEqual(sample.functions[0].tierHits, 2)
      assert.strictEqual(sample.functions[0].entries, 1)
      // The read of the probe is no call.
      assert.strictEqual(sample.counts.misses, 1)
    }).pipe(
      Effect.provide(
        TieredBackend.layer({ maxStaleness: "1 hour" }).pipe(
          Layer.provide(
            StoreBackend.layer(
              Effect.map(memoryStore, (store) => asyncStore(store)),
              { namespace: "view" }
            )
          )
        )
      )
    )
  )

  it.live("tells which breakers are open", () =>
    Effect.gen(function* () {
      const cache = yield* CacheBackend
      const store = cache[engine].reader.store.name
      yield* Metric.set(
        Metric.gauge("effect_cached_breaker_open").pipe(
          Metric.tagged("store", store),
          Metric.tagged("server", "10.0.0.1:11211")
        ),
        1
      )
      const sample = yield* sampled(cache, ({ breakers }) => breakers.length > 0)
      assert.deepStrictEqual(sample.breakers, [{ server: "10.0.0.1:11211", open: 1 }])
    }).pipe(
      Effect.provide(
        StoreBackend.layer(
          Effect.map(memoryStore, (store) => ({ ...asyncStore(store), name: "with breakers" })),
          {}
        )
      )
    )
  )
})

describe("a viewer", () => {
  it.live("gets a stream of events, one message a second at most, from one sampler for all", () =>
    Effect.gen(function* () {
      const cache = yield* CacheBackend
      const ask = asking(cache)
      const viewers = yield* promised(() => Promise.all([looking(ask), looking(ask), looking(ask)]))
      for (const { response } of viewers) {
        assert.strictEqual(response.headers.get("content-type"), "text/event-stream")
        assert.strictEqual(response.headers.get("cache-control"), "no-store")
      }
      const took = yield* promised(async () => {
        await Promise.all(viewers.map(({ next }) => next()))
        const since = performance.now()
        const second = await Promise.all(viewers.map(({ next }) => next()))
        assert.strictEqual(new Set(second.map(({ time }) => time)).size, 1)
        return performance.now() - since
      })
      assert.isAtLeast(took, 700)
      yield* promised(() => Promise.all(viewers.map(({ leave }) => leave())))
    }).pipe(memory)
  )

  it.live("costs nothing once it has left: the sampler ends with the last one, and nobody listens to the events", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const cache = yield* Effect.provide(CacheBackend, yield* Layer.buildWithScope(MemoryBackend.layer(), scope))
      let sizes = 0
      const watched: CacheBackendService = {
        ...cache,
        [engine]: cache[engine],
        stats: Effect.zipRight(
          Effect.sync(() => sizes++),
          cache.stats
        )
      }
      const ask = asking(watched)
      yield* promised(() => ask())
      assert.strictEqual(sizes, 0)
      const viewers = yield* promised(() => Promise.all([looking(ask), looking(ask)]))
      yield* promised(() => Promise.all(viewers.map(({ next }) => next())))
      assert.isFalse(isListened(cache))
      yield* promised(async () => viewers[0]?.leave())
      const asked = sizes
      yield* eventually(
        Effect.delay(
          Effect.sync(() => sizes),
          "50 millis"
        ),
        (now) => now > asked
      )
      yield* promised(async () => viewers[1]?.leave())
      yield* Effect.sleep("100 millis")
      const left = sizes
      yield* Effect.sleep("2500 millis")
      assert.strictEqual(sizes, left)
      // The next one is served again.
      const again = yield* promised(() => looking(ask))
      assert.isDefined(yield* promised(() => again.next()))
      // And its stream ends with the layer of the cache.
      yield* Scope.close(scope, Exit.void)
      yield* promised(async () => {
        while ((await again.next()) !== undefined);
      })
    })
  )

  it.live("is refused where too many look already", () =>
    Effect.gen(function* () {
      const ask = asking(yield* CacheBackend)
      const viewers = yield* promised(() => Promise.all(Array.from({ length: 50 }, () => looking(ask))))
      yield* promised(() => Promise.all(viewers.map(({ next }) => next())))
      assert.strictEqual((yield* promised(() => ask({ path: "/?events" }))).status, 503)
      yield* promised(() => Promise.all(viewers.map(({ leave }) => leave())))
      const late = yield* eventually(
        promised(() => ask({ path: "/?events" })),
        ({ status }) => status === 200
      )
      yield* promised(async () => late.body?.cancel())
    }).pipe(memory)
  )
})

describe("to look up a key", () => {
  it.live("tells of its entry and shows no value", () =>
    Effect.gen(function* () {
      const ask = asking(yield* CacheBackend)
      const token = yield* tokenOf(ask)
      yield* double(21)
      const { body, status } = yield* Effect.flatMap(
        promised(() => post(ask, token, { action: "inspect", name: double.cacheKey(21) })),
        answered
      )
      assert.strictEqual(status, 200)
      assert.hasAllKeys(body.found, ["freshUntil", "staleUntil", "lease", "groups", "bytes"])
      assert.isAbove(body.found.freshUntil, 0)
      assert.deepStrictEqual(body.found.groups, ["numbers"])
      const none = yield* Effect.flatMap(
        promised(() => post(ask, token, { action: "inspect", name: "nothing" })),
        answered
      )
      assert.deepStrictEqual(none, { status: 200, body: { found: null } })
      const empty = yield* Effect.flatMap(
        promised(() => post(ask, token, { action: "inspect", name: "" })),
        answered
      )
      assert.strictEqual(empty.status, 400)
      assert.include(empty.body.error, "InvalidKey")
    }).pipe(memory)
  )

  it.live("shows neither keys nor groups of a layer that has redactKeys", () =>
    Effect.gen(function* () {
      const cache = yield* CacheBackend
      const ask = asking(cache)
      const token = yield* tokenOf(ask)
      const gate = yield* Deferred.make<void>()
      const secret = cached((name: string) => Effect.as(Deferred.await(gate), name), {
        key: "secret",
        ttl: "1 hour",
        groups: (name) => [`of ${name}`]
      })
      const caller = yield* Effect.fork(secret("alice"))
      const sample = yield* sampled(cache, ({ computing }) => computing.length > 0)
      assert.match(sample.computing[0].key, /^secret\(#[0-9a-f]{12}\)$/)
      assert.notInclude(JSON.stringify(sample), "alice")
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(caller)
      const { body } = yield* Effect.flatMap(
        promised(() => post(ask, token, { action: "inspect", name: secret.cacheKey("alice") })),
        answered
      )
      assert.match(body.found.groups[0], /^#[0-9a-f]{12}$/)
      assert.notInclude(JSON.stringify(body), "alice")
    }).pipe(Effect.provide(MemoryBackend.layer({ redactKeys: true })))
  )
})

describe("to invalidate", () => {
  const invalidation = { action: "invalidateGroup", name: "numbers" }

  const refused = (
    options: Dashboard.DashboardOptions,
    send: (ask: Ask, token: string) => Promise<Response>,
    wanted: number
  ) =>
    Effect.gen(function* () {
      const cache = yield* CacheBackend
      yield* double(1)
      const ask = asking(cache, options)
      const token = yield* tokenOf(ask)
      const { body, status } = yield* Effect.flatMap(
        promised(() => send(ask, token)),
        answered
      )
      assert.strictEqual(status, wanted)
      assert.isString(body.error)
      assert.isTrue(yield* cache.has(double.cacheKey(1)))
    }).pipe(memory)

  const allowed = { allow: "invalidate" } as const

  it.live("works on a key and on a group where it is allowed", () =>
    Effect.gen(function* () {
      const cache = yield* CacheBackend
      const ask = asking(cache, allowed)
      const token = yield* tokenOf(ask)
      yield* double(1)
      yield* double(2)
      const sent = (body: unknown, headers?: Record<string, string>) =>
        Effect.flatMap(
          promised(() => post(ask, token, body, headers)),
          answered
        )
      const one = { action: "delete", name: double.cacheKey(1) }
      assert.deepStrictEqual(yield* sent(one), { status: 200, body: { removed: true } })
      assert.deepStrictEqual(yield* sent(one), { status: 200, body: { removed: false } })
      assert.isTrue(yield* cache.has(double.cacheKey(2)))
      // Behind a proxy that has changed the host, a browser still says where the request comes from.
      const site = { origin: "https://admin.example", "sec-fetch-site": "same-origin" }
      assert.deepStrictEqual(yield* sent(invalidation, site), { status: 200, body: {} })
      assert.isFalse(yield* cache.has(double.cacheKey(2)))
    }).pipe(memory)
  )

  it.live("is refused where it is not allowed", () =>
    Effect.zipRight(
      refused({}, (ask, token) => post(ask, token, invalidation), 403),
      refused({}, (ask, token) => post(ask, token, { action: "delete", name: "double(1)" }), 403)
    )
  )

  it.live("is refused without the token, or with another one", () =>
    Effect.forEach(["", "x".repeat(32)], (token) => refused(allowed, (ask) => post(ask, token, invalidation), 403))
  )

  it.live("is refused from another origin, even with the token", () =>
    Effect.forEach(
      [
        { origin: "https://evil.example" },
        { origin: "null" },
        { origin: `${origin}.evil.example` },
        { origin, "sec-fetch-site": "cross-site" },
        { origin, "sec-fetch-site": "same-site" },
        {}
      ],
      (headers: Record<string, string>) =>
        refused(allowed, (ask, token) => post(ask, token, invalidation, headers), 403)
    )
  )

  it.live("is refused if it is too large, or none of the page's", () =>
    Effect.zipRight(
      refused(allowed, (ask, token) => post(ask, token, { ...invalidation, name: "x".repeat(20_000) }), 413),
      Effect.forEach(["", "{", "[]", '{"action":"clear"}', '{"action":"delete"}'], (body) =>
        refused(allowed, (ask, token) => post(ask, token, body), 400)
      )
    )
  )
})

describe("the latest times", () => {
  it("have the quantiles of the last 128", () => {
    const times = new RecentTimes()
    assert.deepStrictEqual(times.quantiles(0.5, 0.95), [undefined, undefined])
    for (let millis = 1; millis <= 100; millis++) times.add(millis)
    assert.deepStrictEqual(times.quantiles(0.5, 0.95, 1), [50, 95, 100])
    for (let round = 0; round < 128; round++) times.add(7)
    assert.deepStrictEqual(times.quantiles(0.5, 1), [7, 7])
  })
})
