import { describe, expect, it } from "@effect/vitest"
import { ArgumentMemory } from "../../../src/internal/memoized/arguments/callArguments.js"

describe("ArgumentMemory", () => {
  it("separates arguments that a Map does not, and does not remember what is not plain", () => {
    const memory = new ArgumentMemory<string>(10)
    memory.remember([0], "zero")
    memory.remember([], "nothing")
    memory.remember(["0"], "text")
    for (const args of [[-0], [undefined], [1, 2], [{}], [null], [true]]) memory.remember(args, "not kept")
    expect([[0], [], ["0"]].map((args) => memory.get(args))).toEqual(["zero", "nothing", "text"])
    for (const args of [[-0], [undefined], [1, 2], [{}], [null], [true]]) expect(memory.get(args)).toBe(undefined)
    expect(memory.size).toBe(3)
  })

  it("is cleared when it is full", () => {
    const memory = new ArgumentMemory<number>(10)
    for (let n = 0; n < 10; n++) memory.remember([n], n)
    memory.remember([9], 99)
    expect([memory.size, memory.get([0]), memory.get([9])]).toEqual([10, 0, 99])
    memory.remember([10], 10)
    expect([memory.size, memory.get([0]), memory.get([10])]).toEqual([1, undefined, 10])
  })

  it("does not remember long texts", () => {
    const memory = new ArgumentMemory<number>(10)
    const [short, long] = ["x".repeat(200), "x".repeat(201)]
    memory.remember([short], 1)
    memory.remember([long], 2)
    expect([memory.get([short]), memory.get([long]), memory.size]).toEqual([1, undefined, 1])
  })
})
