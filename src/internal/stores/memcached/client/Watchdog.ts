/**
 * One timer a connection, not one a request: it sleeps until the earliest deadline, and then looks whether that has passed. It is
 * a Node timer, because the callbacks of a socket know no fiber.
 */
export class Watchdog {
  private timer: NodeJS.Timeout | undefined
  private waiting = false
  private wakesAt = 0

  /** `deadline` is the earliest one (`Infinity` when there is none); `overdue` is called when it has passed. */
  constructor(
    private readonly deadline: () => number,
    private readonly overdue: (now: number) => void
  ) {}

  /** Makes sure that the earliest deadline is watched. */
  watch(): void {
    const deadline = this.deadline()
    if (deadline === Number.POSITIVE_INFINITY || (this.waiting && this.wakesAt <= deadline)) return
    clearTimeout(this.timer)
    this.waiting = true
    this.wakesAt = deadline
    this.timer = setTimeout(this.look, Math.max(1, Math.ceil(deadline - performance.now())))
  }

  stop(): void {
    clearTimeout(this.timer)
    this.waiting = false
  }

  private readonly look = (): void => {
    // A process that was busy for long has the answers in its socket, unread. They are read first.
    if (this.deadline() <= performance.now()) setImmediate(this.decide)
    else this.again()
  }

  private readonly decide = (): void => {
    const now = performance.now()
    if (this.waiting && this.deadline() <= now) this.overdue(now)
    this.again()
  }

  private again(): void {
    if (!this.waiting) return
    this.waiting = false
    this.watch()
  }
}
