/** The view of one cache: a page, its samples, and what it may ask, all under one address and told apart by method and query. */

import { Buffer } from "node:buffer"
import { randomBytes } from "node:crypto"
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Effect, Stream } from "effect"
import type { CacheBackendService } from "../../CacheBackend.js"
import { engine } from "../memoized/engine.js"
import type { Store } from "../stores/Store.js"
import { type Answer, answer, failed } from "./actions.js"
import { connectionOf } from "./connection.js"
import { headersFor } from "./headers.js"
import { readLibrary } from "./library.js"
import { refusal } from "./origin.js"
import { page } from "./page/document.js"
import { Viewers } from "./Viewers.js"
import { visible } from "./visible.js"

export interface ViewOptions {
  readonly title: string
  readonly mayInvalidate: boolean
}

/** Bytes. A key of any length has a name that is shorter. */
const longestBody = 16_384

const tooLarge = failed(413, "The request is too large.")
const isBroken = failed(400, "The request ended early.")
const isUnknown = { ...failed(405, "The page asks by GET and POST only.") }

/** The body as text, read no further than it may be long. */
const bodyOf = (request: HttpServerRequest.HttpServerRequest): Effect.Effect<string, Answer> =>
  Stream.runFoldWhile(
    request.stream,
    { chunks: [] as Uint8Array[], length: 0 },
    ({ length }) => length <= longestBody,
    ({ chunks, length }, chunk) => ({ chunks: [...chunks, chunk], length: length + chunk.length })
  ).pipe(
    Effect.mapError(() => isBroken),
    Effect.filterOrFail(
      ({ length }) => length <= longestBody,
      () => tooLarge
    ),
    Effect.map(({ chunks }) => Buffer.concat(chunks).toString("utf8"))
  )

/** Of which cache the page tells. */
const subtitleOf = ({ cache, local, name }: Store, namespace = ""): string =>
  visible(
    `${name}${cache === undefined ? "" : `, cache ${cache}`}, namespace ${namespace}` +
      (local?.near === undefined ? "" : ", behind a tier in this process")
  )

export class View {
  private readonly token = randomBytes(24).toString("base64url")
  private readonly viewers: Viewers
  private readonly headers: Readonly<Record<string, string>>
  private readonly page: HttpServerResponse.HttpServerResponse

  constructor(
    private readonly cache: CacheBackendService,
    private readonly options: ViewOptions
  ) {
    this.viewers = new Viewers(cache)
    const { options: ofCache, reader } = cache[engine]
    const { local, location } = reader.store
    const { html, scripts, styles } = page({
      ...options,
      token: this.token,
      subtitle: subtitleOf(reader.store, ofCache.namespace),
      hasTier: local?.near !== undefined,
      hasLatency: location === "network",
      library: readLibrary()
    })
    this.headers = headersFor(scripts, styles)
    this.page = HttpServerResponse.text(html, { contentType: "text/html; charset=utf-8", headers: this.headers })
  }

  respond(request: HttpServerRequest.HttpServerRequest): Effect.Effect<HttpServerResponse.HttpServerResponse> {
    const { method, url } = request
    if (method === "POST") return this.act(request)
    if (method !== "GET" && method !== "HEAD") {
      return Effect.succeed(HttpServerResponse.setHeader(this.json(isUnknown), "allow", "GET, HEAD, POST"))
    }
    const isAsked = method === "GET" && /[?&]events(?:[=&]|$)/.test(url)
    return Effect.succeed(isAsked ? this.events(request) : this.page)
  }

  private events(request: HttpServerRequest.HttpServerRequest): HttpServerResponse.HttpServerResponse {
    return this.viewers.isFull
      ? this.json(failed(503, "Too many have this page open."))
      : HttpServerResponse.stream(this.viewers.messages(connectionOf(request)), {
          contentType: "text/event-stream",
          // nginx would collect the messages. A server that closes waits for connections, so this one is used once.
          headers: { ...this.headers, "x-accel-buffering": "no", connection: "close" }
        })
  }

  private act(request: HttpServerRequest.HttpServerRequest): Effect.Effect<HttpServerResponse.HttpServerResponse> {
    const refused = refusal(request.headers, this.token)
    if (refused !== undefined) return Effect.succeed(this.json(failed(403, refused)))
    return Effect.map(
      Effect.merge(Effect.flatMap(bodyOf(request), (body) => answer(this.cache, this.options.mayInvalidate, body))),
      (done) => this.json(done)
    )
  }

  private json({ body, status }: Answer): HttpServerResponse.HttpServerResponse {
    return HttpServerResponse.unsafeJson(body, { status, headers: this.headers })
  }
}
