/** The view of one cache: a page, its samples, and what it may ask, all under one address and told apart by method and query. */

import { Buffer } from "node:buffer"
import { randomBytes } from "node:crypto"
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Effect, Stream } from "effect"
import type { CacheBackendService } from "../../CacheBackend.js"
import { engine } from "../memoized/engine.js"
import { type Answer, answer, failed } from "./actions.js"
import { headers } from "./headers.js"
import { refusal } from "./origin.js"
import { page } from "./page/document.js"
import { Viewers } from "./Viewers.js"

export interface ViewOptions {
  readonly title: string
  readonly mayInvalidate: boolean
}

/** Bytes. A key of any length has a name that is shorter. */
const longestBody = 16_384

const json = ({ body, status }: Answer): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.unsafeJson(body, { status, headers })

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

/** Node's server stops to listen when it closes, and then waits for each request without end; it tells nobody. */
const closingOf =
  ({ source }: HttpServerRequest.HttpServerRequest): (() => boolean) =>
  () =>
    // Of another platform's request nothing of this is there.
    (source as { readonly socket?: { readonly server?: { readonly listening?: boolean } } }).socket?.server
      ?.listening === false

export class View {
  private readonly token = randomBytes(24).toString("base64url")
  private readonly viewers: Viewers
  private readonly page: HttpServerResponse.HttpServerResponse

  constructor(
    private readonly cache: CacheBackendService,
    private readonly options: ViewOptions
  ) {
    this.viewers = new Viewers(cache)
    const { local, location } = cache[engine].reader.store
    const html = page({
      ...options,
      token: this.token,
      hasTier: local?.near !== undefined,
      hasLatency: location === "network"
    })
    this.page = HttpServerResponse.text(html, { contentType: "text/html; charset=utf-8", headers })
  }

  respond(request: HttpServerRequest.HttpServerRequest): Effect.Effect<HttpServerResponse.HttpServerResponse> {
    const { method, url } = request
    if (method === "POST") return this.act(request)
    if (method !== "GET" && method !== "HEAD") {
      return Effect.succeed(HttpServerResponse.setHeader(json(isUnknown), "allow", "GET, HEAD, POST"))
    }
    const isAsked = method === "GET" && /[?&]events(?:[=&]|$)/.test(url)
    return Effect.succeed(isAsked ? this.events(request) : this.page)
  }

  private events(request: HttpServerRequest.HttpServerRequest): HttpServerResponse.HttpServerResponse {
    return this.viewers.isFull
      ? json(failed(503, "Too many have this page open."))
      : HttpServerResponse.stream(this.viewers.messages(closingOf(request)), {
          contentType: "text/event-stream",
          // nginx would collect the messages. A server that closes waits for connections, so this one is used once.
          headers: { ...headers, "x-accel-buffering": "no", connection: "close" }
        })
  }

  private act(request: HttpServerRequest.HttpServerRequest): Effect.Effect<HttpServerResponse.HttpServerResponse> {
    const refused = refusal(request.headers, this.token)
    if (refused !== undefined) return Effect.succeed(json(failed(403, refused)))
    return Effect.map(
      Effect.merge(Effect.flatMap(bodyOf(request), (body) => answer(this.cache, this.options.mayInvalidate, body))),
      json
    )
  }
}
