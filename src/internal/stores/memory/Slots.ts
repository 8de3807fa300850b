/**
 * A set of items in numbered slots, in no order. A walk from the last slot to the first may pause at any slot while items are added
 * and removed, and misses none that was there when it began.
 */

/** An item, which knows its slot. */
export interface Slotted {
  slot: number
}

export class Slots<A extends Slotted> {
  private items: Array<A> = []

  get size(): number {
    return this.items.length
  }

  at(slot: number): A | undefined {
    return this.items[slot]
  }

  add(item: A): void {
    item.slot = this.items.length
    this.items.push(item)
  }

  /** Moves the last item to the free slot. That slot is lower, so a walk downwards does not miss the item. */
  remove(item: A): void {
    const last = this.items.pop()
    if (last === undefined || last === item) return
    last.slot = item.slot
    this.items[item.slot] = last
  }

  /** @param onItem called with each item */
  clear(onItem: (item: A) => void): void {
    for (const item of this.items) onItem(item)
    this.items = []
  }
}
