/** Carries out a plan: starts the processes, injects the faults, and merges the histories. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, Queue, type Scope } from "effect"
import { until } from "../support/until.js"
import { type Child, child, type Watchdog, watchdog } from "./children.js"
import { type Disturbance, type History, mergeHistories, type Pause, parseRecord, stamp } from "./history.js"
import type { Assignment, Command, Leftovers, Report } from "./messages.js"
import type { Fault, Plan } from "./plan.js"
import type { Server } from "./servers.js"

export interface Run {
  readonly history: History
  /** What was left behind, in sentences; empty if nothing was. */
  readonly leftBehind: ReadonlyArray<string>
  /** How many processes ended normally, and so reported what is left. */
  readonly drained: number
  /** Milliseconds. */
  readonly took: number
}

export const workerEntry = fileURLToPath(new URL("worker.ts", import.meta.url))

/** A worker that does not report in this time counts as lost. */
const patience = "3 minutes"
/** How long a process without anything to do may take to end by itself. */
const toEnd = "20 seconds"
/** How long after a fault it may take until every process has found the store again. */
const recovery = 3_500

type Worker = Child<Report, Command>

interface Member {
  readonly worker: Worker
  readonly name: string
}

const next = <Tag extends Report["_tag"]>(
  worker: Worker,
  tag: Tag
): Effect.Effect<Extract<Report, { _tag: Tag }>, Error> =>
  Effect.flatMap(Queue.take(worker.said), (report) =>
    // Narrowed by the tag, which the compiler does not follow through the generic.
    report._tag === tag ? Effect.succeed(report as Extract<Report, { _tag: Tag }>) : next(worker, tag)
  ).pipe(
    Effect.raceFirst(
      Effect.flatMap(worker.exited, ({ code, errors, signal }) =>
        Effect.fail(new Error(`a worker ended (${signal ?? code}) before it was ${tag}: ${errors}`))
      )
    ),
    Effect.timeoutFail({ duration: patience, onTimeout: () => new Error(`a worker was never ${tag}`) })
  )

const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-cached-cluster-"))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
)

/** What may stay in a store: the versions of groups, which never expire, and the generation of memcached. */
const mayStay = (key: string): boolean => key.includes("%group:") || key.startsWith("effect-cached!generation:")

const left = (name: string, { fibers, resources }: Leftovers): ReadonlyArray<string> => [
  ...(resources.length > 0 ? [`process ${name} kept ${resources.join(", ")}`] : []),
  ...(fibers > 0 ? [`process ${name} kept ${fibers} fibers`] : [])
]

/** One run of the plan by the workers of that bundle. */
export const runCluster = (plan: Plan, server: Server, file: string): Effect.Effect<Run, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const directory = yield* temporaryDirectory
    const watching: Watchdog = yield* watchdog
    const names: Array<string> = []
    const pauses: Array<Pause> = []
    const wrongClocks: Array<Omit<Pause, "end">> = []
    const disturbances: Array<Disturbance> = []
    const members: Array<Member> = []
    const lives = new Map<number, number>()
    let ending = 0

    const record = (name: string) => join(directory, `${name}.jsonl`)

    const start = (index: number): Effect.Effect<Member, Error, Scope.Scope> =>
      Effect.gen(function* () {
        const life = (lives.get(index) ?? 0) + 1
        lives.set(index, life)
        const name = `${index}.${life}`
        names.push(name)
        const assignment: Assignment = { plan, index, life, store: server.store, record: record(name) }
        const worker = yield* child<Report, Command>(watching, file, JSON.stringify(assignment))
        yield* next(worker, "Ready")
        return { worker, name }
      })

    const goOn = ({ worker }: Member) => worker.tell({ _tag: "Run", until: ending })

    const memberOf = (index: number) =>
      Effect.suspend(() => {
        const member = members[index]
        return member === undefined ? Effect.dieMessage(`there is no process ${index}`) : Effect.succeed(member)
      })

    const inflict = (fault: Fault): Effect.Effect<void, unknown, Scope.Scope> =>
      Effect.gen(function* () {
        const begin = stamp()
        if (fault._tag === "Store") {
          // Recorded when it begins: what a process does meanwhile is judged by it.
          yield* server.harm(fault.how, fault.lasting)
          disturbances.push({ begin, end: stamp() + recovery, how: fault.how })
          return
        }
        const { name, worker } = yield* memberOf(fault.process)
        switch (fault._tag) {
          case "Kill": {
            yield* worker.signal("SIGKILL")
            yield* worker.exited
            pauses.push({ process: name, begin, end: stamp(), cause: "kill" })
            yield* Effect.sleep(fault.restartAfter)
            const again = yield* start(fault.process)
            members[fault.process] = again
            return yield* goOn(again)
          }
          case "Freeze": {
            yield* worker.signal("SIGSTOP")
            yield* Effect.sleep(fault.lasting)
            yield* worker.signal("SIGCONT")
            pauses.push({ process: name, begin, end: stamp(), cause: "freeze" })
            return
          }
          case "Block":
            // The worker records it itself.
            return yield* worker.tell({ _tag: "Block", lasting: fault.lasting })
          case "Clock":
            yield* worker.tell({ _tag: "Clock", offset: fault.offset })
            wrongClocks.push({ process: name, begin, cause: "clock" })
        }
      })

    const faults = Effect.forEach(
      [...plan.faults].sort((one, other) => one.at - other.at),
      (fault) => Effect.delay(inflict(fault), Math.max(0, ending - plan.duration + fault.at - stamp())),
      { discard: true }
    )

    members.push(
      ...(yield* Effect.forEach(
        Array.from({ length: plan.processes }, (_, index) => index),
        start,
        { concurrency: "unbounded" }
      ))
    )
    const started = stamp()
    ending = started + plan.duration
    yield* Effect.forEach(members, goOn)
    yield* faults
    yield* Effect.forEach([...members], ({ worker }) => next(worker, "Done"), { concurrency: "unbounded" })
    const done = stamp()
    const took = done - started
    // what was written under a wrong clock is read to the end of the run
    pauses.push(...wrongClocks.map((clock) => ({ ...clock, end: done + plan.ttl + plan.stale })))

    const leftBehind: Array<string> = []
    yield* Effect.forEach(
      members,
      ({ name, worker }) =>
        Effect.gen(function* () {
          yield* worker.tell({ _tag: "Finish" })
          const { leftovers } = yield* next(worker, "Drained")
          leftBehind.push(...left(name, leftovers))
          const exit = yield* Effect.timeoutOption(worker.exited, toEnd)
          if (exit._tag === "None") leftBehind.push(`process ${name} did not end by itself`)
          else if (exit.value.code !== 0)
            leftBehind.push(`process ${name} ended with ${exit.value.code}: ${exit.value.errors}`)
        }),
      { concurrency: "unbounded" }
    )
    const connections = yield* until(server.connections, (count) => count === 0)
    if (connections > 0) leftBehind.push(`the store still has ${connections} connections`)
    const staying = yield* until(
      Effect.map(server.records, (keys) => keys.filter((key) => !mayStay(key))),
      (keys) => keys.length === 0
    )
    if (staying.length > 0) leftBehind.push(`the store still holds ${staying.join(", ")}`)

    const histories = names
      .filter((name) => existsSync(record(name)))
      .map((name) => parseRecord(name, readFileSync(record(name), "utf8")))
    const merged = mergeHistories(histories)
    return {
      history: { ...merged, pauses: [...merged.pauses, ...pauses], disturbances },
      leftBehind,
      drained: members.length,
      took
    }
  }).pipe(
    Effect.timeoutFail({
      duration: plan.duration + 180_000,
      onTimeout: () => new Error(`the run with SEED=${plan.seed} hangs, begun plan: ${JSON.stringify(plan)}`)
    })
  )
