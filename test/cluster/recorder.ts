/** Writes the history of a process to a file, each line at once, so that it is there when the process is killed. */
import { closeSync, openSync, writeSync } from "node:fs"
import { Effect, Logger, LogLevel, type Scope } from "effect"
import { type Line, type Outcome, stamp } from "./history.js"
import type { OperationKind } from "./plan.js"

export interface Recorder {
  readonly write: (line: Line) => void
  /** Records the begin and the end of an operation, with the outcome of its exit. */
  readonly operation: <E, R>(
    kind: OperationKind,
    targets: ReadonlyArray<string>,
    writes: string | undefined,
    run: Effect.Effect<(target: string) => Outcome, E, R>,
    failed: (cause: unknown) => Outcome
  ) => Effect.Effect<void, never, R>
}

export const openRecorder = (path: string): Effect.Effect<Recorder, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => openSync(path, "a")),
      (file) => Effect.sync(() => closeSync(file))
    ),
    (file) => {
      let operations = 0
      const write = (line: Line) => {
        writeSync(file, `${JSON.stringify(line)}\n`)
      }
      return {
        write,
        operation: (kind, targets, writes, run, failed) =>
          Effect.suspend(() => {
            const begun = targets.map((target) => {
              const operation = operations++
              write({
                _tag: "Begin",
                operation,
                kind,
                target,
                at: stamp(),
                ...(writes === undefined ? {} : { writes })
              })
              return { operation, target }
            })
            return Effect.map(Effect.exit(run), (exit) => {
              const at = stamp()
              for (const { operation, target } of begun) {
                const outcome = exit._tag === "Success" ? exit.value(target) : failed(exit.cause)
                write({ _tag: "End", operation, at, outcome })
              }
            })
          })
      }
    }
  )

/** The warnings of the cache about its store become lines of the history; nothing goes to the terminal. */
export const recordWarnings = (recorder: Recorder) =>
  Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ logLevel, message }) => {
      if (LogLevel.lessThan(logLevel, LogLevel.Warning)) return
      const text = Array.isArray(message) ? message.map(String).join(" ") : String(message)
      // A failed recomputation is no failure of the store.
      if (text.startsWith("Cache ")) recorder.write({ _tag: "Trouble", at: stamp(), text })
    })
  )
