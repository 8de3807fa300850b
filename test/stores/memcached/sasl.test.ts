/**
 * Against a memcached that asks for a user and a password (`-S`). Its SASL library asks a `saslauthd` whether they are
 * right, and that is played here.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Inspectable, Logger, LogLevel, Redacted } from "effect"
import * as MemcachedStore from "../../../src/internal/stores/memcached/MemcachedStore.js"
import { memcached } from "../../servers/memcached.js"
import { relayTo } from "../../servers/relay.js"
import { freshNamespace, item, patience, plain, readText } from "./support.js"

const user = "alice"
const password = "correct horse é"

/** Answers as saslauthd does: counted strings in, `OK` or `NO` out. */
const authDaemon = (path: string) =>
  Effect.acquireRelease(
    Effect.async<ReturnType<typeof createServer>>((resume) => {
      const server = createServer((socket) =>
        socket.on("data", (asked) => {
          const [login, secret] = countedStrings(asked)
          const verdict = Buffer.from(login === user && secret === password ? "OK" : "NO")
          socket.end(Buffer.concat([Buffer.from([0, verdict.length]), verdict]))
        })
      )
      server.listen(path, () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.sync(() => server.close())
  )

const countedStrings = (bytes: Buffer): ReadonlyArray<string> => {
  const strings: Array<string> = []
  for (let at = 0; at + 2 <= bytes.length; ) {
    const end = at + 2 + bytes.readUInt16BE(at)
    strings.push(bytes.toString("utf8", at + 2, end))
    at = end
  }
  return strings
}

const guarded = Effect.gen(function* () {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-cached-sasl-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const mux = join(directory, "mux")
  yield* authDaemon(mux)
  writeFileSync(
    join(directory, "memcached.conf"),
    `mech_list: plain\npwcheck_method: saslauthd\nsaslauthd_path: ${mux}\n`
  )
  return yield* memcached({ args: ["-S"], env: { SASL_CONF_PATH: directory } })
})

const store = (servers: string, given: string | undefined) =>
  Effect.map(
    MemcachedStore.make(
      {
        servers,
        timeout: patience,
        username: given === undefined ? undefined : user,
        password: given === undefined ? undefined : Redacted.make(given)
      },
      freshNamespace()
    ),
    plain
  )

describe("user and password", () => {
  it.scopedLive("open a server that asks for them", () =>
    Effect.gen(function* () {
      const server = yield* guarded
      const opened = yield* store(server.address, password)
      yield* opened.write([item("a", "value")])
      expect(yield* readText(opened, "a")).toBe("value")
    })
  )

  it.scopedLive("that are wrong, or not given, are an error at once and not a hang", () =>
    Effect.gen(function* () {
      const server = yield* guarded
      for (const given of ["wrong", undefined]) {
        const closed = yield* store(server.address, given)
        const started = performance.now()
        const error = yield* Effect.flip(closed.read(["a"]))
        expect(error.reason).toBe("Unavailable")
        expect(error.message).toMatch(/user and a password|closed the connection/)
        expect(performance.now() - started).toBeLessThan(patience)
      }
    }).pipe(Logger.withMinimumLogLevel(LogLevel.None))
  )

  it.scopedLive("are sent once a connection, and appear in no log, error or inspection", () =>
    Effect.gen(function* () {
      const lines: Array<unknown> = []
      let sent = ""
      const logger = Logger.make((entry) => lines.push(entry.message, entry.annotations))
      const server = yield* guarded
      const relay = yield* relayTo(server)
      yield* Effect.gen(function* () {
        const pool = yield* MemcachedStore.connect(
          { servers: relay.address, username: user, password: Redacted.make(password) },
          freshNamespace()
        )
        const opened = plain(MemcachedStore.over(pool))
        yield* opened.write([item("a", "value")])
        lines.push(pool.connections.map((connection) => Inspectable.toStringUnknown({ ...connection })))
        // The relay goes on taking connections, and each attempt would send them again.
        sent = Buffer.concat(relay.sent).toString("utf8")
        yield* server.kill
        lines.push(yield* Effect.flip(opened.read(["a"])))
        yield* Effect.sleep(50)
      }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)), Logger.withMinimumLogLevel(LogLevel.All))
      expect(sent.split(`\0${user}\0${password}`)).toHaveLength(2)
      expect(lines.length).toBeGreaterThan(2)
      expect(lines.map((line) => Inspectable.toStringUnknown(line)).join("\n")).not.toContain(password)
    })
  )
})
