/**
 * Real memcached processes for tests, demo and benchmarks: each with a port of its own, ended with its scope, and also
 * when this process is killed.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { Clock, Effect, Schedule, type Scope } from "effect"

const run = promisify(execFile)

/** Processes take real time to start, also in a test whose clock stands still. */
const inRealTime = Effect.withClock(Clock.make())

export interface MemcachedServer {
  readonly host: string
  readonly port: number
  /** `host:port`, as the `servers` option wants it. */
  readonly address: string
  /** Ends the process at once, as a crash would; its memory is lost. */
  readonly kill: Effect.Effect<void>
  /** Starts a process again on the same port. */
  readonly start: Effect.Effect<void, Error>
  /** Stops the process without closing its sockets. */
  readonly freeze: Effect.Effect<void>
  readonly thaw: Effect.Effect<void>
}

export interface MemcachedServerOptions {
  /** Further arguments of memcached, such as `-m 1`. */
  readonly args?: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
  /** Default: a free one. */
  readonly port?: number
}

const toError = (cause: unknown): Error => (cause instanceof Error ? cause : new Error(String(cause)))

/** A port that nobody listens on at the moment. */
export const freePort: Effect.Effect<number, Error> = Effect.async((resume) => {
  const probe = createServer()
  probe.on("error", (error) => resume(Effect.fail(error)))
  probe.listen(0, "127.0.0.1", () => {
    const address = probe.address()
    probe.close(() =>
      resume(
        typeof address === "object" && address !== null
          ? Effect.succeed(address.port)
          : Effect.fail(new Error("no port"))
      )
    )
  })
})

const installed = Effect.map(
  Effect.either(Effect.tryPromise(() => run("memcached", ["-V"]))),
  (answer) => answer._tag === "Right"
)

const howTo =
  "These tests need a memcached: install Debian's package (apt-get install memcached), put a `memcached` on the PATH, " +
  "or name running ones in MEMCACHED_SERVERS=host:port,… (tests that end their servers need the program all the same)"

const missing = (why: string): Error => new Error(`${howTo}. It could not be installed: ${why}`)

const lock = join(tmpdir(), "effect-cached-memcached-install.lock")
const lockIsStaleAfter = 300_000

const takeLock: Effect.Effect<void, Error> = Effect.try({
  try: () => {
    try {
      mkdirSync(lock)
    } catch (cause) {
      if (Date.now() - statSync(lock).mtimeMs > lockIsStaleAfter) rmSync(lock, { recursive: true, force: true })
      throw cause
    }
  },
  catch: toError
}).pipe(Effect.retry(Schedule.spaced("500 millis")), Effect.timeout("5 minutes"), Effect.mapError(toError))

const apt = (...args: ReadonlyArray<string>) =>
  Effect.tryPromise({
    try: () =>
      run("apt-get", [...args], { env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" }, timeout: 240_000 }),
    catch: (cause) => missing(toError(cause).message.trim())
  })

/** Two processes that start together install once: the second finds the work done when it gets the lock. */
const installOnce: Effect.Effect<void, Error> = Effect.acquireUseRelease(
  takeLock,
  () =>
    Effect.gen(function* () {
      if (yield* installed) return
      process.stderr.write("There is no memcached on the PATH: installing Debian's package\n")
      yield* apt("update", "-qq")
      yield* apt("install", "-y", "-qq", "-o", "Dpkg::Options::=--force-confold", "memcached")
      if (!(yield* installed)) return yield* Effect.fail(missing("the package is there, but not on the PATH"))
    }),
  () => Effect.sync(() => rmSync(lock, { recursive: true, force: true }))
)

const install: Effect.Effect<void, Error> = Effect.suspend(() =>
  process.getuid?.() === 0 ? installOnce : Effect.fail(missing("only root may"))
)

/** Why the set-up of the whole test run found no memcached: each test says so, instead of trying once more. */
const reason = "EFFECT_CACHED_NO_MEMCACHED"

/** A memcached on the PATH, if need be from Debian's package. */
const available: Effect.Effect<void, Error> = inRealTime(
  Effect.flatMap(installed, (there) => {
    if (there) return Effect.void
    const known = process.env[reason]
    return known === undefined ? install : Effect.fail(new Error(known))
  })
)

/** Once for the whole run, where no test's time limit ends it half-way. What is missing is for the tests to tell. */
export const prepare: Effect.Effect<void> = Effect.catchAll(available, (error) =>
  Effect.sync(() => {
    process.env[reason] = error.message
  })
)

/**
 * The shell is memcached's parent and waits for its standard input to end, which it does when this process ends, however
 * it ends: then it takes memcached with it, even a stopped one.
 */
const supervisor = ['"$@" </dev/null & child=$!', "echo $child", "cat >/dev/null", "kill -KILL $child"].join("\n")

interface Running {
  readonly shell: ChildProcess
  readonly pid: number
}

const answers = (port: number): Effect.Effect<void, Error> =>
  Effect.async<void, Error>((resume) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy()
      resume(Effect.void)
    })
    socket.on("error", (error) => resume(Effect.fail(error)))
    return Effect.sync(() => socket.destroy())
  })

const launch = (port: number, options: MemcachedServerOptions): Effect.Effect<Running, Error> =>
  Effect.gen(function* () {
    const asRoot = process.getuid?.() === 0 ? ["-u", "root"] : []
    const command = ["memcached", ...asRoot, "-l", "127.0.0.1", "-p", `${port}`, "-U", "0", ...(options.args ?? [])]
    const shell = spawn("sh", ["-c", supervisor, "sh", ...command], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...options.env },
      detached: true
    })
    const pid = yield* Effect.async<number, Error>((resume) => {
      shell.on("error", (error) => resume(Effect.fail(error)))
      shell.stdout.once("data", (line: Buffer) => resume(Effect.succeed(Number(line.toString()))))
    })
    let said = ""
    shell.stderr.on("data", (chunk: Buffer) => {
      said += chunk.toString()
    })
    yield* answers(port).pipe(
      Effect.retry(Schedule.spaced("10 millis").pipe(Schedule.upTo("5 seconds"))),
      Effect.mapError((cause) => new Error(`memcached does not answer: ${said}`, { cause }))
    )
    return { shell, pid }
  }).pipe(inRealTime)

const end = ({ pid, shell }: Running): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    if (shell.exitCode !== null || shell.signalCode !== null) return resume(Effect.void)
    shell.once("exit", () => resume(Effect.void))
    signal(pid, "SIGKILL")
    shell.stdin?.end()
  })

const signal = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended already.
  }
}

/** A memcached of one's own on a free port. */
export const memcached = (options: MemcachedServerOptions = {}): Effect.Effect<MemcachedServer, Error, Scope.Scope> =>
  Effect.gen(function* () {
    yield* available
    const port = options.port ?? (yield* freePort)
    let running: Running | undefined
    const kill = Effect.suspend(() => (running === undefined ? Effect.void : end(running)))
    const start = Effect.flatMap(launch(port, options), (launched) =>
      Effect.sync(() => {
        running = launched
      })
    )
    yield* Effect.acquireRelease(start, () => kill)
    // A signal takes effect a moment after it was sent: until then the process still answers.
    const stopped = Effect.suspend(() => {
      const state = `/proc/${running?.pid}/stat`
      // After the name, which stands in brackets: `T` for a stopped process.
      const isStopped = !existsSync(state) || /\) T /.test(readFileSync(state, "latin1"))
      return isStopped ? Effect.void : Effect.fail("it still runs")
    }).pipe(Effect.retry(Schedule.spaced("1 millis")), Effect.orDie, inRealTime)
    const send = (name: NodeJS.Signals) => Effect.sync(() => running !== undefined && signal(running.pid, name))
    return {
      host: "127.0.0.1",
      port,
      address: `127.0.0.1:${port}`,
      kill,
      start: Effect.zipRight(kill, start),
      freeze: Effect.zipRight(send("SIGSTOP"), stopped),
      thaw: Effect.asVoid(send("SIGCONT"))
    }
  })

/** Several of them. */
export const memcachedPool = (
  count: number,
  options: MemcachedServerOptions = {}
): Effect.Effect<ReadonlyArray<MemcachedServer>, Error, Scope.Scope> =>
  Effect.all(
    Array.from({ length: count }, () => memcached(options)),
    { concurrency: "unbounded" }
  )

/** The `servers` option for servers started here. */
export const addresses = (servers: ReadonlyArray<MemcachedServer>): string =>
  servers.map(({ address }) => address).join(",")

/**
 * The `servers` option for tests that need no control over the processes: what `MEMCACHED_SERVERS` names, else `count`
 * servers of one's own.
 */
export const memcachedServers = (count: number): Effect.Effect<string, Error, Scope.Scope> => {
  const given = (process.env["MEMCACHED_SERVERS"] ?? "").split(",").filter((part) => part !== "")
  return given.length >= count
    ? Effect.succeed(given.slice(0, count).join(","))
    : Effect.map(memcachedPool(count), addresses)
}
