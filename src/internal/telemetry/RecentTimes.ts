/** The latest times of a row, for their quantiles: exact, and bounded. */

const most = 128

export class RecentTimes {
  private readonly millis: Array<number> = []
  private next = 0

  add(millis: number): void {
    this.millis[this.next] = millis
    this.next = (this.next + 1) % most
  }

  /** Milliseconds, for each fraction; `undefined` without a time. */
  quantiles(...fractions: ReadonlyArray<number>): ReadonlyArray<number | undefined> {
    const sorted = this.millis.toSorted((one, other) => one - other)
    return fractions.map((fraction) => sorted[Math.max(0, Math.ceil(fraction * sorted.length) - 1)])
  }
}
