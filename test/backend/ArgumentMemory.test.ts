import { describe, expect, it } from "@effect/vitest"
import { ArgumentMemory } from "../../src/internal/memoized/ArgumentMemory.js"

interface Seat {
  taken: boolean
}

describe("what is remembered of arguments", () => {
  it("tells apart what a Map does not, and leaves what is not plain", () => {
    const memory = new ArgumentMemory<string>(10)
    memory.remember([0], "zero")
    memory.remember([], "nothing")
    memory.remember(["0"], "text")
    for (const args of [[-0], [undefined], [1, 2], [{}], [null], [true]]) memory.remember(args, "not kept")
    expect([[0], [], ["0"]].map((args) => memory.get(args))).toEqual(["zero", "nothing", "text"])
    for (const args of [[-0], [undefined], [1, 2], [{}], [null], [true]]) expect(memory.get(args)).toBe(undefined)
    expect(memory.size).toBe(3)
  })

  it("a full memory stays as it is, until it has been of no use for long", () => {
    const memory = new ArgumentMemory<number>(10)
    for (let n = 0; n < 90; n++) memory.remember([n], n)
    expect(memory.get([9])).toBe(9)
    expect(memory.get([89])).toBe(undefined)
    memory.remember([90], 90)
    expect(memory.get([9])).toBe(undefined)
    expect(memory.get([90])).toBe(90)
  })

  for (const [order, next] of [
    ["the oldest", (live: number) => live * 0],
    ["the newest", (live: number) => live - 1],
    ["any", (live: number) => Math.floor(Math.abs(Math.sin(live)) * live)]
  ] as const) {
    it(`what is out of date never outweighs what is not, when ${order} goes first`, () => {
      const memory = new ArgumentMemory<Seat>(Number.POSITIVE_INFINITY, (seat) => !seat.taken)
      const live: Array<{ readonly n: number; readonly seat: Seat }> = []
      for (let n = 0; n < 20_000; n++) {
        const seat = { taken: true }
        memory.remember([n], seat)
        live.push({ n, seat })
        if (live.length <= 500) continue
        const [gone] = live.splice(next(live.length), 1)
        if (gone !== undefined) gone.seat.taken = false
        expect(memory.size).toBeLessThanOrEqual(1_000)
      }
      expect(live.every((each) => memory.get([each.n]) === each.seat)).toBe(true)
      expect(memory.size).toBeLessThanOrEqual(800)
    })
  }
})
