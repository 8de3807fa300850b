/**
 * A TCP relay in front of a server, to misbehave as networks do: it delays, swallows, cuts an answer in the middle, dies,
 * and records what passes.
 */
import { connect, createServer, type Socket } from "node:net"
import { Effect, type Scope } from "effect"

export interface Relay {
  readonly port: number
  readonly address: string
  /** Milliseconds by which answers are held back. */
  delay: number
  /** Whether whatever comes, from either side, is lost while the sockets stay open. */
  swallow: boolean
  /** After so many further bytes of answers the connection is closed; `undefined`: never. */
  cutAfter: number | undefined
  /** Of what a client sends next, so many bytes are passed on at once, and the rest after so many milliseconds. */
  split: { readonly at: number; readonly millis: number } | undefined
  /** How many bytes of an answer are passed on at once; `undefined`: as they come. */
  pieces: number | undefined
  /** What clients have sent, and in how many chunks, as the kernel delivered it. */
  readonly sent: Array<Buffer>
  /** How many connections were made, and how many are open. */
  readonly connections: () => { readonly made: number; readonly open: number }
  /** Ends all connections with a reset. */
  readonly reset: Effect.Effect<void>
}

const listen = (relay: Relay, target: { readonly host: string; readonly port: number }, sockets: Set<Socket>) => {
  let made = 0
  const server = createServer((client) => {
    made += 1
    const upstream = connect(target.port, target.host)
    sockets.add(client)
    const close = () => {
      sockets.delete(client)
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) socket.setNoDelay(true).on("error", close).on("close", close)
    client.on("data", (chunk) => {
      if (relay.swallow) return
      relay.sent.push(chunk)
      const { split } = relay
      relay.split = undefined
      upstream.write(chunk.subarray(0, split?.at))
      if (split !== undefined) setTimeout(() => upstream.write(chunk.subarray(split.at)), split.millis)
    })
    // In order also when the delay changes, as TCP keeps it.
    const held: Array<Buffer> = []
    const passOn = () => {
      const chunk = held.shift()
      if (chunk !== undefined) answer(relay, client, chunk, close)
    }
    upstream.on("data", (chunk) => {
      if (relay.swallow) return
      held.push(chunk)
      if (relay.delay > 0 || held.length > 1) setTimeout(passOn, relay.delay)
      else passOn()
    })
  })
  return { server, made: () => made }
}

const answer = (relay: Relay, client: Socket, chunk: Buffer, close: () => void): void => {
  const left = relay.cutAfter
  const passed = left === undefined ? chunk : chunk.subarray(0, left)
  const step = relay.pieces ?? Math.max(1, passed.length)
  for (let at = 0; at < passed.length; at += step) client.write(passed.subarray(at, at + step))
  if (left === undefined) return
  relay.cutAfter = left - passed.length
  if (relay.cutAfter > 0) return
  relay.cutAfter = undefined
  client.end(close)
}

/** Relays a port of its own to the target for as long as the scope lives. */
export const relayTo = (
  target: { readonly host: string; readonly port: number },
  host = "127.0.0.1"
): Effect.Effect<Relay, Error, Scope.Scope> =>
  Effect.gen(function* () {
    const sockets = new Set<Socket>()
    const state = {
      port: 0,
      address: "",
      delay: 0,
      swallow: false,
      cutAfter: undefined,
      split: undefined,
      pieces: undefined,
      sent: [],
      connections: () => ({ made: made(), open: sockets.size }),
      reset: Effect.sync(() => {
        for (const socket of sockets) socket.resetAndDestroy()
      })
    } as { -readonly [K in keyof Relay]: Relay[K] } // so that the port can be filled in
    const { made, server } = listen(state, target, sockets)
    yield* Effect.acquireRelease(
      Effect.async<void, Error>((resume) => {
        server.on("error", (error) => resume(Effect.fail(error)))
        server.listen(0, host, () => resume(Effect.void))
      }),
      () =>
        Effect.async<void>((resume) => {
          for (const socket of sockets) socket.destroy()
          server.close(() => resume(Effect.void))
        })
    )
    const bound = server.address()
    if (typeof bound === "object" && bound !== null) state.port = bound.port
    state.address = `${host}:${state.port}`
    return state
  })
