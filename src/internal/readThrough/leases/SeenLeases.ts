/**
 * Since when this process has seen the leases of others. No lease is believed longer than `maxLease` from then on: neither one
 * that is renewed for ever, nor a record that was forged or damaged.
 */
import type { Lease } from "../../../CacheStore.js"
import { isWellFormed } from "../flights/leaseId.js"

/** More leases than one process waits for at the same time. Where there are more, the oldest is believed anew. */
const remembered = 10_000

export class SeenLeases {
  private readonly firstSeen = new Map<string, number>()

  /** @param now milliseconds on the Clock, as `maxLease` */
  believes({ id }: Lease, now: number, maxLease: number): boolean {
    if (!isWellFormed(id)) return false
    const since = this.firstSeen.get(id)
    if (since !== undefined) return now < since + maxLease
    if (this.firstSeen.size >= remembered) {
      const [oldest = ""] = this.firstSeen.keys()
      this.firstSeen.delete(oldest)
    }
    this.firstSeen.set(id, now)
    return true
  }
}
