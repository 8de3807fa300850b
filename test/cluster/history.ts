/**
 * What happened in a run: each operation with its begin, end and outcome, each computation, and what was done to the
 * processes and the store. All times are milliseconds of CLOCK_MONOTONIC, which all processes of a machine share.
 */
import type { OperationKind } from "./plan.js"

export type Outcome =
  /** The id of the computation or write that made the value, and the key it was made for. */
  | { readonly _tag: "Value"; readonly id: string; readonly of: string }
  | { readonly _tag: "Absent" }
  /** An operation without a value succeeded; `changed` if it reports whether it did anything. */
  | { readonly _tag: "Done"; readonly changed?: boolean }
  /** The typed error of the computation with this id. */
  | { readonly _tag: "ComputeError"; readonly id: string; readonly of: string }
  | { readonly _tag: "CacheError"; readonly reason: string }
  | { readonly _tag: "Interrupted" }
  | { readonly _tag: "Defect"; readonly text: string }

/** One line of a worker's history. It is written at once, so that a killed process leaves it too. */
export type Line =
  | {
      readonly _tag: "Begin"
      readonly operation: number
      readonly kind: OperationKind
      /** The key, or the group's name. */
      readonly target: string
      readonly at: number
      /** The id of the value that is written. */
      readonly writes?: string
    }
  | { readonly _tag: "End"; readonly operation: number; readonly at: number; readonly outcome: Outcome }
  | {
      readonly _tag: "Compute"
      readonly id: string
      readonly key: string
      readonly forced: boolean
      /** When the operation began that asked for it: its lease is not older. */
      readonly asked: number
      readonly at: number
    }
  | { readonly _tag: "Computed"; readonly id: string; readonly at: number; readonly how: Ending }
  | { readonly _tag: "Pause"; readonly begin: number; readonly end: number; readonly cause: Pause["cause"] }
  /** The store took long to answer a read. */
  | { readonly _tag: "SlowRead"; readonly begin: number; readonly end: number }
  /** The cache warned that it could not reach its store, or the like. */
  | { readonly _tag: "Trouble"; readonly at: number; readonly text: string }

export type Ending = "value" | "error" | "interrupted"

export interface Operation {
  readonly process: string
  readonly kind: OperationKind
  readonly target: string
  readonly begin: number
  /** `undefined` if the process was killed before. */
  readonly end: number | undefined
  readonly outcome: Outcome | undefined
  readonly writes: string | undefined
}

export interface Computation {
  readonly id: string
  readonly process: string
  readonly key: string
  readonly forced: boolean
  /** When the operation began that asked for it: its lease is not older. */
  readonly asked: number
  readonly begin: number
  readonly end: number | undefined
  readonly how: Ending | undefined
}

/** A time in which a process did not run, or its clock was wrong. */
export interface Pause {
  readonly process: string
  readonly begin: number
  readonly end: number
  /** `starved`: nobody stopped it; the machine was too busy. */
  readonly cause: "kill" | "freeze" | "block" | "clock" | "starved"
}

/** A time in which the store misbehaved, until all processes have found that it works again. */
export interface Disturbance {
  readonly begin: number
  readonly end: number
  readonly how: string
}

/** A time in which a process waited long for its store: the store, or the machine, was too busy. */
export interface SlowRead {
  readonly process: string
  readonly begin: number
  readonly end: number
}

export interface History {
  readonly operations: ReadonlyArray<Operation>
  readonly computations: ReadonlyArray<Computation>
  readonly pauses: ReadonlyArray<Pause>
  readonly slowReads: ReadonlyArray<SlowRead>
  readonly disturbances: ReadonlyArray<Disturbance>
  readonly troubles: ReadonlyArray<{ readonly process: string; readonly at: number; readonly text: string }>
}

export const emptyHistory: History = {
  operations: [],
  computations: [],
  pauses: [],
  slowReads: [],
  disturbances: [],
  troubles: []
}

/** The common clock. */
export const stamp = (): number => Number(process.hrtime.bigint()) / 1e6

/** A killed process may leave half a line at the end. */
const linesOf = (record: string): ReadonlyArray<Line> =>
  record
    .slice(0, record.lastIndexOf("\n") + 1)
    .split("\n")
    .filter((text) => text !== "")
    // Written by the worker from values of this very type.
    .map((text) => JSON.parse(text) as Line)

/** The lines of one process as a history. */
export const parseRecord = (process: string, record: string): History => {
  const operations: Array<Operation> = []
  const byNumber = new Map<number, number>()
  const computations = new Map<string, Computation>()
  const pauses: Array<Pause> = []
  const slowReads: Array<SlowRead> = []
  const troubles: Array<History["troubles"][number]> = []
  for (const line of linesOf(record)) {
    switch (line._tag) {
      case "Begin": {
        const { at, kind, target, writes } = line
        byNumber.set(line.operation, operations.length)
        operations.push({ process, kind, target, begin: at, end: undefined, outcome: undefined, writes })
        break
      }
      case "End": {
        const index = byNumber.get(line.operation)
        const operation = index === undefined ? undefined : operations[index]
        if (index !== undefined && operation !== undefined) {
          operations[index] = { ...operation, end: line.at, outcome: line.outcome }
        }
        break
      }
      case "Compute": {
        const { asked, at, forced, id, key } = line
        computations.set(id, { id, process, key, forced, asked, begin: at, end: undefined, how: undefined })
        break
      }
      case "Computed": {
        const computation = computations.get(line.id)
        if (computation !== undefined) computations.set(line.id, { ...computation, end: line.at, how: line.how })
        break
      }
      case "Pause":
        pauses.push({ process, begin: line.begin, end: line.end, cause: line.cause })
        break
      case "SlowRead":
        slowReads.push({ process, begin: line.begin, end: line.end })
        break
      case "Trouble":
        troubles.push({ process, at: line.at, text: line.text })
        break
    }
  }
  return { ...emptyHistory, operations, computations: [...computations.values()], pauses, slowReads, troubles }
}

export const mergeHistories = (histories: ReadonlyArray<History>): History => ({
  operations: histories.flatMap((one) => one.operations),
  computations: histories.flatMap((one) => one.computations),
  pauses: histories.flatMap((one) => one.pauses),
  slowReads: histories.flatMap((one) => one.slowReads),
  disturbances: histories.flatMap((one) => one.disturbances),
  troubles: histories.flatMap((one) => one.troubles)
})
