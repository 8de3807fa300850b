/**
 * What the example sends to a collector of OpenTelemetry: the names that dashboards and alerts ask for, and the spans of the docs.
 */
import { spawn } from "node:child_process"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { bundle, projectRoot } from "../support/bundle.js"

interface Span {
  readonly name: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly attributes: ReadonlyArray<{ readonly key: string; readonly value: object }>
  readonly links: ReadonlyArray<{ readonly spanId: string }>
}

/** Takes what is sent by OTLP as JSON. */
const collector = Effect.acquireRelease(
  Effect.async<{
    readonly url: string
    readonly bodies: ReadonlyArray<{ path: string; body: string }>
    readonly close: () => void
  }>((resume) => {
    const bodies: Array<{ path: string; body: string }> = []
    const server = createServer((request, response) => {
      let body = ""
      request
        .setEncoding("utf8")
        .on("data", (part: string) => {
          body += part
        })
        .on("end", () => {
          bodies.push({ path: request.url ?? "", body })
          response.writeHead(200, { "content-type": "application/json" }).end("{}")
        })
    })
    server.listen(0, "127.0.0.1", () => {
      // of a server that listens on a port
      const { port } = server.address() as AddressInfo
      resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, bodies, close: () => server.close() }))
    })
  }),
  ({ close }) => Effect.sync(close)
)

it.scopedLive("the example for OpenTelemetry sends metrics and spans to a collector", () =>
  Effect.gen(function* () {
    const file = yield* bundle(join(projectRoot, "examples/opentelemetry.ts"))
    const { bodies, url } = yield* collector
    const code = yield* Effect.async<number | null>((resume) => {
      const child = spawn(process.execPath, [file], {
        env: { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: url },
        stdio: "inherit"
      })
      child.on("close", (exit) => resume(Effect.succeed(exit)))
    })
    assert.strictEqual(code, 0)
    const sent = (path: string) => bodies.filter((one) => one.path === path).map(({ body }) => body)

    const metrics = sent("/v1/metrics").join("\n")
    for (const name of ["effect_cached_hits_total", "effect_cached_computed_total", "effect_cached_compute_seconds"]) {
      assert.include(metrics, `"name":"${name}"`)
    }

    const spans = sent("/v1/traces").flatMap(
      (body): ReadonlyArray<Span> =>
        // OTLP: https://opentelemetry.io/docs/specs/otlp
        JSON.parse(body).resourceSpans.flatMap(
          ({ scopeSpans }: { scopeSpans: ReadonlyArray<{ spans: ReadonlyArray<Span> }> }) =>
            scopeSpans.flatMap(({ spans }) => spans)
        )
    )
    const requests = spans.filter(({ name }) => name === "request")
    const computations = spans.filter(({ name }) => name === "cache.compute")
    assert.deepStrictEqual([requests.length, computations.length], [4, 2])
    const hits = requests.filter(({ attributes }) =>
      attributes.some(({ key, value }) => key === "cache.hit" && "boolValue" in value && value.boolValue === true)
    )
    assert.strictEqual(hits.length, 1)
    for (const { parentSpanId } of computations) {
      assert.isTrue(requests.some(({ spanId }) => spanId === parentSpanId))
    }
    const joined = requests.filter(({ links }) =>
      links.some(({ spanId }) => computations.some((one) => one.spanId === spanId))
    )
    assert.strictEqual(joined.length, 1)
  })
)
