/** Commands that wait for a connection, over a client that is made by hand. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { Commands } from "../../../src/internal/stores/redis/Commands.js"

/** A client that makes a lost connection anew until `connected` is called. */
const reconnecting = () => {
  const waiting: Array<() => void> = []
  const sent: Array<string> = []
  return {
    sent,
    isAsked: Effect.repeat(Effect.yieldNow(), { until: () => waiting.length > 0 }),
    connected: () => {
      for (const then of waiting.splice(0)) then()
    },
    client: {
      isCluster: false,
      send: (_key: string, [name = ""]: ReadonlyArray<string | Uint8Array>) => {
        sent.push(String(name))
        return Promise.resolve("OK")
      },
      waits: (then: () => void) => {
        waiting.push(then)
        return true
      }
    }
  }
}

describe("a command that waits until a lost connection is made anew", () => {
  const interrupted = (operation: "write" | "remove") =>
    Effect.gen(function* () {
      const { client, connected, isAsked, sent } = reconnecting()
      const commands = new Commands(client, 60_000)
      const caller = yield* Effect.fork(commands.send(operation, "key", [operation]))
      yield* isAsked
      yield* Fiber.interrupt(caller)
      connected()
      const next = yield* Effect.fork(commands.send("read", "key", ["read"]))
      yield* isAsked
      connected()
      expect(yield* Fiber.await(next)).toEqual(Exit.succeed("OK"))
      commands.close()
      return sent
    })

  it.live("is not sent for a caller who has left: its value may be out of date by then", () =>
    Effect.gen(function* () {
      expect(yield* interrupted("write")).toEqual(["read"])
    })
  )

  it.live("is sent all the same if it is an invalidation", () =>
    Effect.gen(function* () {
      expect(yield* interrupted("remove")).toEqual(["remove", "read"])
    })
  )
})
