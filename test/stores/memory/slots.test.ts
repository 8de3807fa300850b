import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Slots, type Slotted } from "../../../src/internal/stores/memory/Slots.js"

it("a walk from the last slot to the first misses no item that stays, whatever is added and removed meanwhile", () => {
  const steps = fc.array(fc.nat({ max: 99 }), { maxLength: 200 })
  fc.assert(
    fc.property(fc.nat({ max: 30 }), steps, (initial, changes) => {
      const slots = new Slots<Slotted>()
      const standing: Array<Slotted> = []
      const add = () => {
        const item = { slot: -1 }
        slots.add(item)
        standing.push(item)
      }
      for (let n = 0; n < initial; n++) add()
      const throughout = new Set(standing)
      const seen = new Set<Slotted>()
      let slot = slots.size
      for (const change of changes) {
        if (change < 40) add()
        else if (change < 80) {
          for (const item of standing.splice(change % (standing.length + 1), 1)) {
            slots.remove(item)
            throughout.delete(item)
          }
        } else {
          slot = Math.min(slot, slots.size)
          const item = slot > 0 ? slots.at(--slot) : undefined
          if (item !== undefined) seen.add(item)
        }
        assert.strictEqual(slots.size, standing.length)
        for (const item of standing) assert.strictEqual(slots.at(item.slot), item)
      }
      slot = Math.min(slot, slots.size)
      for (const item of throughout) assert.isTrue(seen.has(item) || item.slot < slot)
    })
  )
})
