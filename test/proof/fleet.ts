/** The processes of the proof, which do one command at a time. */
import { join } from "node:path"
import { Effect, Queue, type Scope } from "effect"
import { type Child, child, type Watchdog } from "../cluster/children.js"
import { stamp } from "../cluster/history.js"
import { bundle, projectRoot } from "../support/bundle.js"
import type { Assignment, Command, Report } from "./messages.js"

export type Process = Child<Report, Command> & { readonly name: string }

export const proofWorker = bundle(join(projectRoot, "test/proof/worker.ts"))

export class CannotRun extends Error {}

/** The next report of that kind; others are skipped. */
export const hear = <Tag extends Report["_tag"]>(
  from: Process,
  tag: Tag
): Effect.Effect<Extract<Report, { _tag: Tag }>, Error> => {
  const wait: Effect.Effect<Extract<Report, { _tag: Tag }>, Error> = Effect.flatMap(Queue.take(from.said), (report) => {
    if (report._tag === "Failed") return Effect.fail(new CannotRun(report.reason))
    // Narrowed by the tag, which the compiler does not follow through the generic.
    return report._tag === tag ? Effect.succeed(report as Extract<Report, { _tag: Tag }>) : wait
  })
  return Effect.raceFirst(
    wait,
    Effect.flatMap(from.exited, ({ errors }) => Effect.fail(new Error(`${from.name} ended: ${errors}`)))
  ).pipe(Effect.timeoutFail({ duration: "3 minutes", onTimeout: () => new Error(`${from.name} is silent`) }))
}

export const ask = <Tag extends Report["_tag"]>(to: Process, command: Command, tag: Tag) =>
  Effect.zipRight(to.tell(command), hear(to, tag))

export interface FleetOptions extends Omit<Assignment, "name"> {
  readonly processes: number
}

let started = 0

export const fleet = (
  file: string,
  watching: Watchdog,
  { processes, ...assignment }: FleetOptions
): Effect.Effect<ReadonlyArray<Process>, Error, Scope.Scope> =>
  Effect.forEach(
    Array.from({ length: processes }),
    () =>
      Effect.gen(function* () {
        const name = `${++started}`
        const running: Child<Report, Command> = yield* child<Report, Command>(
          watching,
          file,
          JSON.stringify({ ...assignment, name } satisfies Assignment),
          ["--expose-gc"]
        )
        const one = { ...running, name }
        yield* hear(one, "Ready")
        return one
      }),
    { concurrency: "unbounded" }
  )

/** A moment on the common clock when all processes will be ready. */
export const soon = (): number => stamp() + 300
