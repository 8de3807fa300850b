/**
 * The reads that are under way. What such a read brings may have been changed in the meantime: a message of the bus or a write of
 * this process then voids its ticket for that key, and the answer is not kept. Without tickets a copy from before an invalidation
 * would be kept after it.
 */

export class Ticket {
  private readonly voided = new Set<string>()
  private allVoided = false

  constructor(readonly keys: ReadonlyArray<string>) {}

  void(key: string): void {
    this.voided.add(key)
  }

  voidAll(): void {
    this.allVoided = true
  }

  isLive(key: string): boolean {
    return !this.allVoided && !this.voided.has(key)
  }

  /** Whether nothing that it reads was changed since it was sent. */
  get isWholeLive(): boolean {
    return !this.allVoided && this.voided.size === 0
  }
}

export class Tickets {
  private readonly byKey = new Map<string, Set<Ticket>>()
  private readonly all = new Set<Ticket>()

  open(keys: ReadonlyArray<string>): Ticket {
    const ticket = new Ticket(keys)
    this.all.add(ticket)
    for (const key of keys) {
      const tickets = this.byKey.get(key)
      if (tickets === undefined) this.byKey.set(key, new Set([ticket]))
      else tickets.add(ticket)
    }
    return ticket
  }

  close(ticket: Ticket): void {
    this.all.delete(ticket)
    for (const key of ticket.keys) {
      const tickets = this.byKey.get(key)
      tickets?.delete(ticket)
      if (tickets?.size === 0) this.byKey.delete(key)
    }
  }

  void(key: string): void {
    for (const ticket of this.byKey.get(key) ?? []) ticket.void(key)
  }

  voidAll(): void {
    for (const ticket of this.all) ticket.voidAll()
  }
}
