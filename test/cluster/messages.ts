/** What the runner and its workers say to each other. */
import type { Plan } from "./plan.js"
import type { StoreDescription } from "./stores.js"

/** Handed to a worker as the first argument, as JSON. */
export interface Assignment {
  readonly plan: Plan
  readonly index: number
  /** How many times this process was started before. */
  readonly life: number
  readonly store: StoreDescription
  /** The file that its history goes to. */
  readonly record: string
}

export type Command =
  | { readonly _tag: "Run"; readonly until: number }
  | { readonly _tag: "Block"; readonly lasting: number }
  | { readonly _tag: "Clock"; readonly offset: number }
  | { readonly _tag: "Finish" }

/** What is left in a process after its layer was released. */
export interface Leftovers {
  /** Sockets, timers and the like, by the names that Node gives them. */
  readonly resources: ReadonlyArray<string>
  readonly fibers: number
}

export type Report =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Done" }
  | { readonly _tag: "Drained"; readonly leftovers: Leftovers }
