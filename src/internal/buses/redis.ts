/** A wire over PUBLISH and SUBSCRIBE of Redis. */
import { Effect, type Scope } from "effect"
import { CacheError } from "../../CacheError.js"
import { endClient } from "../stores/redis/nodeRedis.js"
import type { Wire } from "./overWire.js"

/** Redis takes more, but whoever invalidates so much at once has cleared. */
const longest = 64 * 1024

/** A client of node-redis, as far as a bus needs it. */
export interface PubSubClient {
  readonly publish: (channel: string, text: string) => Promise<unknown>
  readonly duplicate: () => PubSubLine
}

/** A connection of its own. */
export interface PubSubLine {
  readonly isOpen: boolean
  readonly connect: () => Promise<unknown>
  readonly destroy: () => void
  readonly subscribe: (channel: string, listener: (text: string) => void) => Promise<unknown>
  // `on` returns the client itself, and takes listeners of many types.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly on: (event: any, listener: (...args: ReadonlyArray<any>) => void) => unknown
}

const failed =
  (operation: "publish" | "subscribe") =>
  (cause: unknown): CacheError =>
    new CacheError({
      reason: "Unavailable",
      operation,
      description: `Redis: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause
    })

/** @param reconnect makes the client's connection anew, if that is for the bus to do */
export const redisWire = (client: PubSubClient, channel: string, reconnect: () => void = () => {}): Wire => {
  const publish = (operation: "publish" | "subscribe") => (text: string) =>
    Effect.asVoid(Effect.tryPromise({ try: () => client.publish(channel, text), catch: failed(operation) }))

  const line = (onText: (text: string) => void, onEnd: () => void): Effect.Effect<void, CacheError, Scope.Scope> =>
    Effect.gen(function* () {
      const opened = yield* Effect.acquireRelease(
        Effect.sync(() => client.duplicate()),
        (made) => Effect.sync(() => endClient(made))
      )
      yield* Effect.async<void, CacheError>((resume) => {
        const ended = (cause: unknown) => {
          onEnd()
          resume(Effect.fail(failed("subscribe")(cause)))
        }
        // It would connect again by itself, but node-redis does not tell what was missed meanwhile.
        opened.on("error", ended)
        opened.on("end", () => ended(new Error("the connection has ended")))
        opened
          .connect()
          .then(() => opened.subscribe(channel, onText))
          .then(() => resume(Effect.void), ended)
      })
    })

  return {
    longest,
    reconnect,
    send: publish("publish"),
    open: (onText, onEnd) => Effect.as(line(onText, onEnd), publish("subscribe"))
  }
}
