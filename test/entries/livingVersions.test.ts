/** The renewal of a version that several computations share. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, FiberId } from "effect"
import { type LivingVersion, renew } from "../../src/internal/entries/livingVersions.js"
import { fromPlain } from "../../src/internal/stores/fromPlain.js"

const store = fromPlain({
  name: "test",
  location: "process",
  payloads: "references",
  read: () => Effect.succeed([]),
  write: () => Effect.succeed([]),
  add: () => Effect.succeedNone,
  replace: () => Effect.succeedSome("token"),
  remove: () => Effect.succeed(0),
  clear: Effect.void
})

/** Runs it up to this step, interrupts it there, and lets it end. Returns whether it had not ended before. */
const interruptedAt = (step: number, effect: Effect.Effect<unknown, unknown>): boolean => {
  let steps = 0
  const tasks: Array<() => void> = []
  const fiber = Effect.runFork(effect, {
    scheduler: {
      scheduleTask: (task) => void tasks.push(task),
      shouldYield: () => (++steps === step ? 1 : false)
    }
  })
  const isRunning = fiber.unsafePoll() === null
  fiber.unsafeInterruptAsFork(FiberId.none)
  for (const task of tasks) task()
  assert.notStrictEqual(fiber.unsafePoll(), null)
  return isRunning
}

describe("the renewal of a version", () => {
  it("that is interrupted at whatever step harms none of those who share it", () => {
    let step = 1
    for (; ; step++) {
      const version: LivingVersion = { key: "group", version: "v", token: "token", until: 0, isGone: false }
      const wasRunning = interruptedAt(step, renew(store, version, 10, 20, 0))
      // Whoever waits for ever can't be run to its end here.
      assert.deepStrictEqual(Effect.runSyncExit(renew(store, version, 10, 20, 0)), Exit.void, `step ${step}`)
      assert.strictEqual(version.until, 20)
      if (!wasRunning) break
    }
    assert.isAbove(step, 3)
  })
})
