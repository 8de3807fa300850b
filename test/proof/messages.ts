/** The messages between the proof and its processes. */
import type { CacheStats } from "effect-cached"
import type { Settings, SubjectName } from "./subjects.js"

export interface Assignment extends Settings {
  readonly subject: SubjectName
  readonly name: string
}

export interface CallOptions {
  readonly key: string
  readonly ttl: number
  /** Milliseconds that the computation takes. */
  readonly lasting: number
}

export type Command =
  | ({ readonly _tag: "Call" } & CallOptions)
  /** How many fibers call at that moment of the common clock. */
  | ({ readonly _tag: "Burst"; readonly fibers: number; readonly at: number } & CallOptions)
  /** Calls at a steady rate over so many keys, for so long; computing takes no time. */
  | {
      readonly _tag: "Load"
      readonly perSecond: number
      readonly keys: number
      readonly lasting: number
      readonly ttl: number
      /** Which share of the calls are invalidations instead. */
      readonly invalidating?: number
    }
  /** Mixed load over keys, some of which are always new. */
  | { readonly _tag: "Mix"; readonly lasting: number; readonly ttl: number }
  | { readonly _tag: "Sample" }
  | { readonly _tag: "Finish" }

export interface Answer {
  /** The id of the value that the call returned; `undefined` if it failed. */
  readonly id: string | undefined
  readonly begin: number
  readonly end: number
}

export interface BurstResult {
  readonly computations: number
  /** How many callers got each value. */
  readonly answers: Readonly<Record<string, number>>
  readonly failed: number
  /** The first failure. */
  readonly failure: string | undefined
  /** Milliseconds, of the slowest caller. */
  readonly slowest: number
}

/** One call in the steady load. */
export interface LoadCall {
  readonly at: number
  /** Microseconds. */
  readonly took: number
  /** Microseconds that computing the value directly takes, measured at the same time. */
  readonly direct: number
  readonly hit: boolean
  readonly failed: boolean
}

export interface Sample {
  readonly heap: number
  readonly sockets: number
  readonly stats: Partial<CacheStats>
}

export type Report =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Failed"; readonly reason: string }
  | { readonly _tag: "Computing"; readonly id: string }
  | { readonly _tag: "Called"; readonly answer: Answer }
  | { readonly _tag: "Burst"; readonly result: BurstResult }
  | { readonly _tag: "Load"; readonly calls: ReadonlyArray<LoadCall> }
  | { readonly _tag: "Mix"; readonly operations: number }
  | { readonly _tag: "Sample"; readonly sample: Sample }
