/** Node processes that end with their scope, or with this process, however it ends. */
import { type ChildProcess, fork, spawn } from "node:child_process"
import { Deferred, Effect, Queue, type Scope } from "effect"

/** The shell reads which processes run, and kills them once this process is gone. SIGKILL also reaches a stopped one. */
const watchdogScript = `
pids=" "
while read -r sign pid; do
  case $sign in
    +) pids="$pids$pid " ;;
    -) pids=$(printf %s "$pids" | sed "s/ $pid / /") ;;
  esac
done
[ "$pids" = " " ] || kill -KILL $pids 2>/dev/null
`

export interface Watchdog {
  readonly watch: (pid: number) => void
  readonly forget: (pid: number) => void
}

export const watchdog: Effect.Effect<Watchdog, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => spawn("sh", ["-c", watchdogScript], { detached: true, stdio: ["pipe", "ignore", "ignore"] })),
    (shell) =>
      Effect.async<void>((resume) => {
        if (shell.exitCode !== null) return resume(Effect.void)
        shell.once("exit", () => resume(Effect.void))
        shell.stdin.end()
      })
  ),
  (shell) => ({
    watch: (pid) => shell.stdin.write(`+ ${pid}\n`),
    forget: (pid) => shell.stdin.write(`- ${pid}\n`)
  })
)

export interface Child<Message, Command> {
  readonly pid: number
  /** The messages of the child. */
  readonly said: Queue.Dequeue<Message>
  readonly tell: (command: Command) => Effect.Effect<void>
  readonly signal: (name: NodeJS.Signals) => Effect.Effect<void>
  /** Completes with the end of the process: how, and what it wrote to its standard error. */
  readonly exited: Effect.Effect<ChildExit>
}

export interface ChildExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly errors: string
}

const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null

/** @param Message the type of the messages; the code of the child guarantees it */
export const child = <Message, Command>(
  watching: Watchdog,
  file: string,
  argument: string,
  execArgv: ReadonlyArray<string> = []
): Effect.Effect<Child<Message, Command>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const said = yield* Queue.unbounded<Message>()
    const exited = yield* Deferred.make<ChildExit>()
    const process = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const forked = fork(file, [argument], { execArgv: [...execArgv], stdio: ["ignore", "ignore", "pipe", "ipc"] })
        const pid = forked.pid ?? 0
        watching.watch(pid)
        let errors = ""
        forked.stderr?.on("data", (text: Buffer) => {
          errors = `${errors}${text}`.slice(-4_000)
        })
        // The worker sends only messages of this type.
        forked.on("message", (message) => said.unsafeOffer(message as Message))
        forked.once("close", (code, signal) => {
          watching.forget(pid)
          Deferred.unsafeDone(exited, Effect.succeed({ code, signal, errors }))
        })
        return forked
      }),
      (forked) =>
        Effect.suspend(() => {
          if (!hasEnded(forked)) forked.kill("SIGKILL")
          return Effect.asVoid(Deferred.await(exited))
        })
    )
    return {
      pid: process.pid ?? 0,
      said,
      tell: (command) =>
        Effect.sync(() => {
          // A process that was killed at this moment gets no message.
          if (process.connected) process.send(command as object, () => undefined)
        }),
      signal: (name) =>
        Effect.sync(() => {
          process.kill(name)
        }),
      exited: Deferred.await(exited)
    }
  })
