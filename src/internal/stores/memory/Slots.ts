/** Items in no order, in slots that a walk from the last to the first can pause at while others are added and removed. */

/** What stands in a slot, and knows which. */
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

  /** The last item moves to the slot that becomes free: never to a higher one, so no walk misses it. */
  remove(item: A): void {
    const last = this.items.pop()
    if (last === undefined || last === item) return
    last.slot = item.slot
    this.items[item.slot] = last
  }

  /** @param onItem is told of every item */
  clear(onItem: (item: A) => void): void {
    for (const item of this.items) onItem(item)
    this.items = []
  }
}
