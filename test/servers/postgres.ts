/**
 * A real PostgreSQL for tests, examples and benchmarks: that of `DATABASE_URL`, or an embedded one in a temporary
 * directory that disappears with the scope and also when this process is killed.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { Effect, type Scope } from "effect"
import { installed, type PostgresPrograms, PostgresServerError, type RunAs, runnable } from "./postgresPrograms.js"

export interface PostgresServer {
  readonly url: string
  /** The embedded server's own, undefined for that of `DATABASE_URL`. */
  readonly embedded: { readonly crash: Effect.Effect<void>; readonly start: Effect.Effect<void> } | undefined
}

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

/** For messages that are looked for, and an order of texts, that are the same on every machine. */
const environment = { ...process.env, LC_ALL: "C" }

/** Writes a new data directory, whose superuser is `postgres` with the password `postgres`. */
const initialise = ({ initdb, runAs }: PostgresPrograms, base: string, data: string) =>
  Effect.tryPromise({
    try: () => {
      const passwordFile = join(base, "password")
      writeFileSync(passwordFile, "postgres\n")
      mkdirSync(data, { mode: 0o700 })
      give(runAs, passwordFile, data)
      const flags = [
        "--username=postgres",
        `--pwfile=${passwordFile}`,
        "--auth=password",
        "--encoding=UTF8",
        "--no-sync"
      ]
      return promisify(execFile)(initdb, [`--pgdata=${data}`, ...flags], { ...runAs, cwd: "/", env: environment })
    },
    catch: (cause) => new PostgresServerError({ cause })
  })

const give = ({ gid, uid }: RunAs, ...paths: ReadonlyArray<string>): void => {
  if (uid === undefined || gid === undefined) return
  for (const path of paths) chownSync(path, uid, gid)
}

const launch = ({ postgres, runAs }: PostgresPrograms, args: ReadonlyArray<string>) =>
  Effect.async<ChildProcess, PostgresServerError>((resume) => {
    const child = spawn(postgres, args, { ...runAs, cwd: "/", env: environment, stdio: ["ignore", "ignore", "pipe"] })
    let said = ""
    const fail = (cause: unknown) => resume(Effect.fail(new PostgresServerError({ cause })))
    child.once("error", fail)
    child.once("exit", () => fail(said))
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      said = (said + chunk).slice(-2000)
      if (said.includes("database system is ready to accept connections")) resume(Effect.succeed(child))
    })
  })

/** The end of the server: in order and without waiting for clients (`SIGINT`), or as in a crash (`SIGQUIT`). */
const end = (child: ChildProcess, signal: "SIGINT" | "SIGQUIT"): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill(signal)
  })

const embedded = Effect.fnUntraced(function* (settings: PostgresSettings, folder?: string) {
  const base = yield* directory
  const data = join(base, "data")
  yield* watchdog(base)
  const port = yield* freePort
  const programs = yield* runnable(folder ?? (yield* installed), base)
  yield* initialise(programs, base, data)
  const flags = Object.entries({ ...defaults, ...settings }).flatMap(([name, value]) => ["-c", `${name}=${value}`])
  let running: ChildProcess | undefined
  const stop = (signal: "SIGINT" | "SIGQUIT") =>
    Effect.suspend(() => (running === undefined ? Effect.void : end(running, signal)))
  const start = Effect.map(launch(programs, ["-D", data, "-p", `${port}`, ...flags]), (child) => {
    running = child
  })
  yield* Effect.acquireRelease(start, () => stop("SIGINT"))
  return {
    url: `postgres://postgres:postgres@127.0.0.1:${port}/postgres`,
    embedded: { crash: stop("SIGQUIT"), start: Effect.orDie(start) }
  }
})

/**
 * A server, valid as long as the scope; that of `DATABASE_URL` has its own settings.
 *
 * @param folder where the programs of PostgreSQL are, if not where npm has put them
 */
export const postgresWith = (
  settings: PostgresSettings,
  folder?: string
): Effect.Effect<PostgresServer, PostgresServerError, Scope.Scope> =>
  Effect.suspend((): Effect.Effect<PostgresServer, PostgresServerError, Scope.Scope> => {
    const url = process.env["DATABASE_URL"]
    return url === undefined || url === "" ? embedded(settings, folder) : Effect.succeed({ url, embedded: undefined })
  })

export const postgres = postgresWith({})
