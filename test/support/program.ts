/** Programs in processes of their own: one alone, or several that compete for something. */
import { execFile, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { Effect, Exit, Scope } from "effect"
import { afterAll, beforeAll } from "vitest"
import { bundle } from "./bundle.js"
import { sized } from "./size.js"

/** The file of a program, which is there while the tests of the calling file run. */
export const bundled = (entry: string): (() => string) => {
  const scope = Effect.runSync(Scope.make())
  let file = ""
  beforeAll(async () => {
    file = await Effect.runPromise(Scope.extend(bundle(entry), scope))
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  return () => file
}

/** What a program writes on its standard output. What does not end in two minutes is killed, so that it leaves nothing behind. */
export const outputOf = (
  file: string,
  args: ReadonlyArray<string>,
  options: ReadonlyArray<string> = []
): Effect.Effect<string, Error> =>
  Effect.async((resume) => {
    const child = execFile(
      process.execPath,
      [...options, file, ...args],
      { timeout: sized(120_000, 3_500_000) },
      (error, stdout) => resume(error === null ? Effect.succeed(stdout) : Effect.fail(error))
    )
    return Effect.sync(() => child.kill("SIGKILL"))
  })

export interface Contestant<Result> {
  /** It has said that it is up. */
  readonly ready: Effect.Effect<void>
  /** What it said at the end. */
  readonly result: Effect.Effect<Result>
}

/** A process that says `ready`, waits for its start, and at its end says as JSON what it won. */
export const contestant = <Result>(
  file: string,
  args: ReadonlyArray<string>
): Effect.Effect<Contestant<Result>, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => spawn(process.execPath, [file, ...args], { stdio: ["ignore", "pipe", "inherit"] })),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    ),
    (child) => {
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
      // also what the store has to say for itself while it is built
      const after = async (start: string): Promise<string> => {
        const { done, value } = await lines.next()
        if (done) throw new Error(`a process ended before it said ${start}: why, is among its errors above`)
        return value.startsWith(start) ? value : after(start)
      }
      const ready = after("ready")
      const result = ready.then(() => after("{")).then((text): Result => JSON.parse(text))
      return { ready: Effect.asVoid(Effect.promise(() => ready)), result: Effect.promise(() => result) }
    }
  )
