/**
 * Servers from Debian's packages, as processes of the tests: each with a port of its own, ended with its scope, and also when this
 * process is killed.
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
export const inRealTime = Effect.withClock(Clock.make())

export interface Program {
  /** Its name on the PATH. */
  readonly name: string
  /** Debian's package that has it. */
  readonly debianPackage: string
  /** What to do where it can't be installed, besides that. */
  readonly otherwise: string
}

export interface Process {
  readonly host: string
  readonly port: number
  /** `host:port`. */
  readonly address: string
  /** Ends the process at once, as a crash would; its memory is lost. */
  readonly kill: Effect.Effect<void>
  /** Starts a process again on the same port. */
  readonly start: Effect.Effect<void, Error>
  /** Stops the process without closing its sockets. */
  readonly freeze: Effect.Effect<void>
  readonly thaw: Effect.Effect<void>
}

const toError = (cause: unknown): Error => (cause instanceof Error ? cause : new Error(String(cause)))

/** Linux takes the ports of connections from 32768 on: one of them might take the port of a server that is down for a while. */
const ports = { from: 15_000, to: 32_000 }

/** A port that nobody listens on at the moment. */
export const freePort: Effect.Effect<number, Error> = Effect.async<number, Error>((resume) => {
  const port = ports.from + Math.floor(Math.random() * (ports.to - ports.from))
  const probe = createServer()
  probe.on("error", (error) => resume(Effect.fail(error)))
  probe.listen(port, "127.0.0.1", () => {
    probe.close(() => resume(Effect.succeed(port)))
  })
}).pipe(Effect.retry({ times: 20 }))

const isInstalled = ({ name }: Program) =>
  Effect.map(Effect.either(Effect.tryPromise(() => run(name, ["--version"]))), (answer) => answer._tag === "Right")

const missing = ({ debianPackage, name, otherwise }: Program, why: string): Error =>
  new Error(
    `There is no ${name} on the PATH. Install Debian's package (apt-get install ${debianPackage}), ` +
      `or ${otherwise}. It could not be installed: ${why}`
  )

const lock = join(tmpdir(), "effect-cached-install.lock")
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

const apt = (program: Program, ...args: ReadonlyArray<string>) =>
  Effect.tryPromise({
    try: () =>
      run("apt-get", [...args], { env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" }, timeout: 240_000 }),
    catch: (cause) => missing(program, toError(cause).message.trim())
  })

/** Two processes that start together install once: the second finds the work done when it gets the lock. */
const installOnce = (program: Program): Effect.Effect<void, Error> =>
  Effect.acquireUseRelease(
    takeLock,
    () =>
      Effect.gen(function* () {
        if (yield* isInstalled(program)) return
        process.stderr.write(`There is no ${program.name} on the PATH: installing Debian's package\n`)
        yield* apt(program, "update", "-qq")
        yield* apt(program, "install", "-y", "-qq", "-o", "Dpkg::Options::=--force-confold", program.debianPackage)
        if (!(yield* isInstalled(program))) {
          return yield* Effect.fail(missing(program, "the package is there, but not on the PATH"))
        }
      }),
    () => Effect.sync(() => rmSync(lock, { recursive: true, force: true }))
  )

const install = (program: Program): Effect.Effect<void, Error> =>
  Effect.suspend(() =>
    process.getuid?.() === 0 ? installOnce(program) : Effect.fail(missing(program, "only root may"))
  )

/** Why the set-up of the whole test run did not find the program: each test says so, instead of trying once more. */
const reasonOf = ({ name }: Program): string => `EFFECT_CACHED_NO_${name.toUpperCase().replaceAll(/[^A-Z]/g, "_")}`

/** The program on the PATH, if need be from Debian's package. */
export const available = (program: Program): Effect.Effect<void, Error> =>
  inRealTime(
    Effect.flatMap(isInstalled(program), (there) => {
      if (there) return Effect.void
      const known = process.env[reasonOf(program)]
      return known === undefined ? install(program) : Effect.fail(new Error(known))
    })
  )

/** Once for the whole run, where no test's time limit ends it half-way. What is missing is for the tests to tell. */
export const prepare = (program: Program): Effect.Effect<void> =>
  Effect.catchAll(available(program), (error) =>
    Effect.sync(() => {
      process.env[reasonOf(program)] = error.message
    })
  )

/**
 * The shell is the server's parent and waits for its standard input to end, which it does when this process ends, however
 * it ends: then it takes the server with it, even a stopped one. It waits for the server's end, for until then another server on
 * the same port can't listen, while the port still answers.
 */
const supervisor = [
  '"$@" </dev/null & child=$!',
  "echo $child",
  "cat >/dev/null",
  "kill -KILL $child",
  "wait $child"
].join("\n")

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

const launch = (
  port: number,
  command: ReadonlyArray<string>,
  env: Readonly<Record<string, string>>
): Effect.Effect<Running, Error> =>
  Effect.gen(function* () {
    const shell = spawn("sh", ["-c", supervisor, "sh", ...command], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...env },
      detached: true
    })
    let said = ""
    const pid = yield* Effect.async<number, Error>((resume) => {
      shell.on("error", (error) => resume(Effect.fail(error)))
      shell.stdout.once("data", (line: Buffer) => resume(Effect.succeed(Number.parseInt(line.toString(), 10))))
    })
    for (const output of [shell.stdout, shell.stderr]) {
      output.on("data", (chunk: Buffer) => {
        said = (said + chunk.toString()).slice(-2_000)
      })
    }
    yield* answers(port).pipe(
      Effect.retry(Schedule.spaced("10 millis").pipe(Schedule.upTo("20 seconds"))),
      Effect.mapError((cause) => new Error(`${command[0]} does not answer: ${said}`, { cause }))
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

/** A server of one's own. */
export const server = (
  program: Program,
  argsOf: (port: number) => ReadonlyArray<string>,
  options: {
    readonly env?: Readonly<Record<string, string>> | undefined
    /** Default: a free one. */
    readonly port?: number | undefined
  } = {}
): Effect.Effect<Process, Error, Scope.Scope> =>
  Effect.gen(function* () {
    yield* available(program)
    const port = options.port ?? (yield* freePort)
    let running: Running | undefined
    const kill = Effect.suspend(() => (running === undefined ? Effect.void : end(running)))
    const start = Effect.map(launch(port, [program.name, ...argsOf(port)], options.env ?? {}), (launched) => {
      running = launched
    })
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
