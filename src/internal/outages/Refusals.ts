/**
 * Whether a store refuses everything, as one does whose table is missing or that may only be read. It answers each call with an error
 * of its own. A store that refuses a single record does so too, and must not be given up for it.
 */
export class Refusals {
  private reads = 0
  private writes = 0
  private lastWritten: string | undefined

  /** @param most so many in a row are too many */
  constructor(private readonly most: number) {}

  /** Whether there were too many writes. */
  get refusesWrites(): boolean {
    return this.writes >= this.most
  }

  /** Counts one. Of writes only those under another key than the last: their record may be at fault. */
  areTooMany(kind: "read" | "write", key: string | undefined): boolean {
    if (kind === "read") return ++this.reads >= this.most
    if (key !== undefined && key === this.lastWritten) return false
    this.lastWritten = key
    return ++this.writes >= this.most
  }

  /** A read has succeeded. */
  read(): void {
    this.reads = 0
  }

  /** A write has succeeded, or a probe. */
  wrote(): void {
    this.reads = 0
    this.writes = 0
    this.lastWritten = undefined
  }
}
