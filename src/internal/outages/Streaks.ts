/**
 * How often a store failed in a row, and what is to be skipped for it. A store whose table is missing refuses everything. One that
 * is full, or may only be read, refuses writes: what it has can still be served. A store that refuses a single record answers with
 * an error as well, and must not be given up for it.
 */
import type { CacheError } from "../../CacheError.js"
import { ignoredByBreaker, isOutage, isRefusal } from "./outage.js"

export type Kind = "read" | "write" | "remove"

/** What the breaker skips. Removals are skipped only with everything: who invalidates must know whether it worked. */
export type Skipped = "nothing" | "writes" | "everything"

export class Streaks {
  /** Whether a success has anything to reset: after most operations it has not. */
  hasFailed = false
  private outages = 0
  private refusedReads = 0
  /** Outages and refusals. */
  private failedWrites = 0
  private lastWritten: string | undefined

  /** @param most so many in a row are too many */
  constructor(private readonly most: number) {}

  /** Counts a failure. Returns what is to be skipped from now on. */
  failed(kind: Kind, key: string | undefined, error: CacheError): Skipped {
    const outage = isOutage(error)
    if (ignoredByBreaker(error) || (!outage && !isRefusal(error))) return "nothing"
    this.hasFailed = true
    if (outage) this.outages++
    else if (kind === "read") this.refusedReads++
    if (this.outages >= this.most || this.refusedReads >= this.most) return "everything"
    // Of refusals only those under another key than the last: their record may be at fault.
    if (kind !== "write" || (!outage && key !== undefined && key === this.lastWritten)) return "nothing"
    this.lastWritten = key
    return ++this.failedWrites >= this.most ? "writes" : "nothing"
  }

  succeeded(kind: Kind): void {
    this.outages = 0
    this.refusedReads = 0
    if (kind === "write") {
      this.failedWrites = 0
      this.lastWritten = undefined
    }
    this.hasFailed = this.failedWrites > 0
  }
}
