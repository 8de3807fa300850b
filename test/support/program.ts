/** Programs of several processes that compete for something. */
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { Effect, Exit, Scope } from "effect"
import { afterAll, beforeAll } from "vitest"
import { bundle } from "./bundle.js"

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
