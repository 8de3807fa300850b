/** The messages between the runner and its workers. */
import type { Plan } from "./plan.js"
import type { StoreDescription } from "./stores.js"

/** The first argument of a worker, as JSON. */
export interface Assignment {
  readonly plan: Plan
  readonly index: number
  /** How many times this process was started before. */
  readonly life: number
  readonly store: StoreDescription
  /** The file for its history. */
  readonly record: string
}

export type Command =
  | { readonly _tag: "Run"; readonly until: number }
  | { readonly _tag: "Block"; readonly lasting: number }
  | { readonly _tag: "Clock"; readonly offset: number }
  | { readonly _tag: "Finish" }

/** What is left in a process after its layer was closed. */
export interface Leftovers {
  /** Sockets, timers and the like, by the names that Node gives them. */
  readonly resources: ReadonlyArray<string>
  readonly fibers: number
}

export type Report =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Done" }
  | { readonly _tag: "Drained"; readonly leftovers: Leftovers }
