/**
 * The time that servers take, and one timer for all that wait for one: a timer for each would cost more than the rest of a hit.
 *
 * A process that is busy for long has the answers in its sockets, unread, so time in which it does not look counts for nothing:
 * the clock stands still for as long as a timer or a turn of the event loop came late. It is a Node timer, because the callbacks
 * of a socket know no fiber, and because servers work in real time also where a `TestClock` stands still.
 */

/** Milliseconds. The timer wakes so often, because it only notices that it came late if it was due meanwhile. */
const longestSleep = 100

export class Watchdog {
  private timer: NodeJS.Timeout | undefined
  private waiting = false
  private wakesAt = 0
  /** By `performance.now()`. */
  private dueAt = 0
  private lookedAt = 0
  private heardBefore = 0
  /** Milliseconds in which this process kept its event loop busy. */
  private lost = 0

  /**
   * @param deadline the earliest one, by `now` (`Infinity` when there is none)
   * @param heard how many bytes the server has sent so far
   * @param overdue called when the deadline has passed
   */
  constructor(
    private readonly deadline: () => number,
    private readonly heard: () => number,
    private readonly overdue: (now: number) => void
  ) {}

  /** Milliseconds, without those in which this process did not look at its sockets. */
  now(): number {
    return performance.now() - this.lost
  }

  /** Makes sure that the earliest deadline is watched. */
  watch(): void {
    const deadline = this.deadline()
    if (deadline === Number.POSITIVE_INFINITY || (this.waiting && this.wakesAt <= deadline)) return
    clearTimeout(this.timer)
    this.waiting = true
    const sleep = Math.min(longestSleep, Math.max(1, Math.ceil(deadline - this.now())))
    this.wakesAt = this.now() + sleep
    this.dueAt = performance.now() + sleep
    this.timer = setTimeout(this.look, sleep)
  }

  stop(): void {
    clearTimeout(this.timer)
    this.waiting = false
  }

  private readonly look = (): void => {
    this.loseSince(this.dueAt)
    if (this.deadline() <= this.now()) this.lookAfterReading()
    else this.again()
  }

  /** Decides after the next turn of the event loop, which reads what lies in the sockets. */
  private lookAfterReading(): void {
    this.lookedAt = performance.now()
    this.heardBefore = this.heard()
    setImmediate(this.decide)
  }

  private readonly decide = (): void => {
    if (!this.waiting) return
    this.loseSince(this.lookedAt)
    const now = this.now()
    if (this.deadline() > now) this.again()
    // A turn reads a part of a long answer. The server is overdue once there is nothing of it left to read.
    else if (this.heard() !== this.heardBefore) this.lookAfterReading()
    else {
      this.overdue(now)
      this.again()
    }
  }

  private loseSince(moment: number): void {
    this.lost += Math.max(0, performance.now() - moment)
  }

  private again(): void {
    if (!this.waiting) return
    this.waiting = false
    this.watch()
  }
}
