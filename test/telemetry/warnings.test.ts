import { describe, expect, it } from "@effect/vitest"
import { Effect, Logger, TestClock } from "effect"
import { Warnings } from "../../src/internal/telemetry/warnings.js"

const collecting = (lines: Array<string>) =>
  Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ message }) => {
      lines.push(String(Array.isArray(message) ? message[0] : message))
    })
  )

describe("warnings", () => {
  it.effect("logs each kind once a minute, and says how many were left out", () => {
    const lines: Array<string> = []
    const warnings = new Warnings()
    return Effect.gen(function* () {
      for (let call = 0; call < 1_000; call++) yield* warnings.warn("slow", () => `slow ${call}`)
      yield* warnings.warn("other", () => "other")
      expect(lines).toEqual(["slow 0", "other"])
      yield* TestClock.adjust("61 seconds")
      yield* warnings.warn("slow", () => "slow again")
      expect(lines).toEqual(["slow 0", "other", "slow again (and 999 more since the last such line)"])
      yield* TestClock.adjust("61 seconds")
      yield* warnings.warn("slow", () => "slow at last")
      expect(lines.at(-1)).toBe("slow at last")
    }).pipe(Effect.provide(collecting(lines)))
  })

  it.effect("builds no message that is not logged, and two layers don't keep each other quiet", () => {
    const lines: Array<string> = []
    const [one, two] = [new Warnings(), new Warnings()]
    let built = 0
    const message = () => `built ${++built}`
    return Effect.gen(function* () {
      yield* one.warn("kind", message)
      yield* one.warn("kind", message)
      yield* two.warn("kind", message)
      expect(lines).toEqual(["built 1", "built 2"])
    }).pipe(Effect.provide(collecting(lines)))
  })
})
