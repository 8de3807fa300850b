/**
 * A server, or the network before it, closes a connection that was idle for long. A process that was busy or frozen meanwhile has
 * not read that yet, and would send its next command over the dead connection. So after a long silence the sockets have their turn
 * first.
 */

/** Milliseconds. No server closes a connection that was idle for less. */
const long = 500
/** Of the event loop: so many may pass until Node tells that a socket was closed. */
const turns = 3

const afterReading = (then: () => void, left = turns): void => {
  setImmediate(left === 1 ? then : () => afterReading(then, left - 1))
}

export class IdleTime {
  // The wall clock: others stand still while a machine is suspended.
  private usedAt = Date.now()
  private held: Array<() => void> | undefined

  /** Whether the sockets have their turn now, before anything is sent. */
  get isReading(): boolean {
    return this.held !== undefined
  }

  /** Calls back at once; after a long silence when the sockets have been read. The order stays. */
  whenRead(send: () => void): void {
    if (this.held !== undefined) {
      this.held.push(send)
      return
    }
    const now = Date.now()
    const wasLong = now - this.usedAt > long
    this.usedAt = now
    if (!wasLong) {
      send()
      return
    }
    const held = [send]
    this.held = held
    afterReading(() => {
      this.held = undefined
      for (const one of held) one()
    })
  }
}
