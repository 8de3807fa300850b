/** A viewer that is connected and reads nothing: it is let go, and keeps neither its place nor a server that closes. */
import { connect, type Socket } from "node:net"
import { HttpApp } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Option, Scope, TestClock } from "effect"
import { CacheBackend, cached, MemoryBackend } from "effect-cached"
import * as Dashboard from "effect-cached/Dashboard"
import { eventually, live } from "../suites/cached/ground.js"
import { serve } from "./visiting.js"

/** Makes samples of 100 kB, which soon fill what the kernel holds for a connection. */
const manyFunctions = Effect.forEach(
  Array.from({ length: 100 }, (_, index) =>
    cached(Effect.succeed(1), { key: `${index} ${"é".repeat(290)}`, ttl: "1 hour" })
  ),
  (call) => call
)

const silent = (url: string) =>
  Effect.acquireRelease(
    Effect.async<Socket>((resume) => {
      const { hostname, pathname, port } = new URL(url)
      const socket = connect(Number(port), hostname, () => {
        socket.pause()
        socket.write(`GET ${pathname}?events HTTP/1.1\r\nhost: ${hostname}:${port}\r\n\r\n`)
        resume(Effect.succeed(socket))
      })
      socket.on("error", () => socket.destroy())
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

/** Seconds on the test's clock, each with time for the sockets to do their work. */
const pass = (seconds: number) =>
  Effect.repeatN(Effect.zipRight(TestClock.adjust("1 second"), live(Effect.sleep("1 millis"))), seconds - 1)

describe("a viewer that reads nothing", () => {
  it.effect("is let go after 30 samples, and another one has its place", () =>
    Effect.gen(function* () {
      const cache = yield* CacheBackend
      const handler = HttpApp.toWebHandlerRuntime(yield* Effect.runtime<CacheBackend>())(Dashboard.httpApp())
      const ask = Effect.promise(() => handler(new Request("http://cache.example/?events")))
      const idle = yield* Effect.all(Array.from({ length: 50 }, () => ask))
      const refused = yield* ask
      assert.strictEqual(refused.status, 503)
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual((yield* ask).status, 503)
      yield* TestClock.adjust("15 seconds")
      const late = yield* ask
      assert.strictEqual(late.status, 200)
      // What it has not read is left for it, and then its stream ends: a browser connects again.
      const first = yield* Effect.promise(async () => {
        const reader = idle[0]?.body?.getReader()
        let messages = 0
        while (reader !== undefined && !(await reader.read()).done) messages++
        return messages
      })
      assert.isAtMost(first, 3)
      yield* Effect.promise(async () => late.body?.cancel())
      assert.strictEqual((yield* cache.stats).misses, 0)
    }).pipe(Effect.provide(MemoryBackend.layer()))
  )

  it.scoped("has its stream ended by its server", () =>
    Effect.gen(function* () {
      yield* manyFunctions
      const socket = yield* silent(yield* serve())
      yield* pass(250)
      // What the kernel holds for it comes first; no time passes in which a further sample would be made.
      socket.resume()
      yield* eventually(
        Effect.sync(() => socket.destroyed),
        (isGone) => isGone
      )
    }).pipe(Effect.provide(MemoryBackend.layer()))
  )

  it.scoped("does not keep its server from closing", () =>
    Effect.gen(function* () {
      yield* manyFunctions
      const scope = yield* Scope.make()
      yield* silent(yield* Scope.extend(serve(), scope))
      // Until nothing more can be written to it.
      yield* pass(150)
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* eventually(Effect.zipRight(pass(1), Fiber.poll(closing)), Option.isSome)
    }).pipe(Effect.provide(MemoryBackend.layer()))
  )
})
