/**
 * A page that shows what a cache does, live, to mount in a server of one's own. Needs the package `@effect/platform`.
 *
 * @since 0.1.0
 */
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import { Effect } from "effect"
import { CacheBackend, type CacheBackendService } from "./CacheBackend.js"
import { View } from "./internal/dashboard/View.js"

/**
 * The options of `httpApp`.
 *
 * @since 0.1.0
 * @category models
 */
export interface DashboardOptions {
  /** Whether the page may invalidate keys and groups. Default: it only reads. */
  readonly allow?: "invalidate"
  /** The title of the page. Default `effect-cached`. */
  readonly title?: string
}

/**
 * The live view of the cache that is provided: hits, stale hits, misses, computations and the latency of the store over time, a
 * table of functions, what is being computed, circuit breakers, and what stands under a key.
 *
 * It asks nobody who they are. Put your own authentication before it, and mount it under a path of its own: it answers every
 * request that reaches it. The page loads nothing from elsewhere, no other page can frame it or post to it, and it shows no cached
 * value. Where the layer has `redactKeys`, it shows hashes of keys and groups.
 *
 * It shows this process only. Nothing runs while nobody has the page open. For all who have, one fiber takes one sample a second:
 * the counters of `stats`, and every 2 seconds the size of the store and one read of a key that nobody has, which is the latency
 * shown (2 RT, none for a store in this process). At most 50 can look at once. Breakers are read from the metrics of the process.
 *
 * @example
 * import { HttpRouter, HttpServer } from "@effect/platform"
 * import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
 * import { Layer } from "effect"
 * import { MemoryBackend } from "effect-cached"
 * import * as Dashboard from "effect-cached/Dashboard"
 * import { createServer } from "node:http"
 *
 * const router = HttpRouter.empty.pipe(HttpRouter.mountApp("/cache", Dashboard.httpApp({ title: "Shop" })))
 *
 * const Server = HttpServer.serve(router).pipe(
 *   Layer.provide(NodeHttpServer.layer(createServer, { port: 3000, host: "127.0.0.1" })),
 *   Layer.provide(MemoryBackend.layer({ maxEntries: 10_000 }))
 * )
 *
 * NodeRuntime.runMain(Layer.launch(Server))
 *
 * @since 0.1.0
 * @category constructors
 */
export const httpApp = ({
  allow,
  title = "effect-cached"
}: DashboardOptions = {}): HttpApp.Default<never, CacheBackend> => {
  const views = new WeakMap<CacheBackendService, View>()
  const viewOf = (cache: CacheBackendService): View => {
    const known = views.get(cache)
    if (known !== undefined) return known
    const view = new View(cache, { title, mayInvalidate: allow === "invalidate" })
    views.set(cache, view)
    return view
  }
  return Effect.flatMap(CacheBackend, (cache) =>
    Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => viewOf(cache).respond(request))
  )
}
