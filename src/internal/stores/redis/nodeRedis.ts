/** Clients of node-redis (the package `redis`), which is loaded only where the layer makes its own. */
import { Buffer } from "node:buffer"
import type { ConnectionOptions } from "node:tls"
import { Clock, Effect, Redacted, type Scope } from "effect"
import { CacheError } from "../../../CacheError.js"
import { backgroundSleep } from "../../runtime/eventLoop.js"
import { forkFromCallbacks } from "../../runtime/fork.js"
import type { OwnClient, RedisClient } from "./client.js"
import { cacheError, isRefusal } from "./errors.js"

/** In RESP, the type of bulk strings. */
const bulkStrings = 36
/**
 * Without a timer for each command, which node-redis 6 starts by default and which costs ten times as much as the command: the
 * store has a time limit of its own.
 */
const settingsOfCommands: CommandSettings = { typeMapping: { [bulkStrings]: Buffer }, timeout: undefined }

interface CommandSettings {
  readonly typeMapping: { readonly [bulkStrings]: unknown }
  readonly timeout: undefined
}

/** A client of `createClient`, as far as the cache needs it. */
export interface NodeRedisClient {
  readonly sendCommand: (
    command: ReadonlyArray<string | Buffer>,
    // The client's own type for this names types of the package, which need not be installed.
    // biome-ignore lint/suspicious/noExplicitAny: see above
    settings?: any
  ) => Promise<unknown>
}

/** A client of `createCluster`, as far as the cache needs it. */
export interface NodeRedisCluster {
  readonly masters: ReadonlyArray<unknown>
  readonly sendCommand: (
    firstKey: string | Buffer | undefined,
    isReadonly: boolean | undefined,
    // As above.
    // biome-ignore lint/suspicious/noExplicitAny: see above
    command: any,
    // biome-ignore lint/suspicious/noExplicitAny: see above
    settings?: any
  ) => Promise<unknown>
}

const toBuffers = (command: ReadonlyArray<string | Uint8Array>): ReadonlyArray<string | Buffer> =>
  command.map((part) =>
    typeof part === "string" || Buffer.isBuffer(part)
      ? part
      : Buffer.from(part.buffer, part.byteOffset, part.byteLength)
  )

export const fromClient = (client: NodeRedisClient): RedisClient => ({
  isCluster: false,
  send: (_key, command) => client.sendCommand(toBuffers(command), settingsOfCommands)
})

export const fromCluster = (cluster: NodeRedisCluster): RedisClient => ({
  isCluster: true,
  // `false`: also what only reads goes to the master, because a replica may not have an invalidation yet
  send: (key, command) => cluster.sendCommand(key, false, toBuffers(command), settingsOfCommands)
})

export interface ConnectionSettings {
  /** One address, or some of a cluster's. */
  readonly urls: readonly [string, ...ReadonlyArray<string>]
  readonly isCluster: boolean
  readonly username: string | undefined
  readonly password: Redacted.Redacted | undefined
  readonly database: number | undefined
  readonly tls: ConnectionOptions | undefined
  /** Milliseconds until an attempt to connect counts as failed. */
  readonly connectTimeout: number
}

const shortestDelay = 25
const longestDelay = 1_000

const load = Effect.tryPromise({
  try: () => import("redis"),
  catch: (cause) =>
    new CacheError({
      reason: "InvalidOption",
      operation: "layer",
      description: "the Redis backend needs the package redis (npm install redis), or the option client",
      cause
    })
})

const shared = (settings: ConnectionSettings, goesOn: () => boolean) => ({
  ...(settings.username === undefined ? {} : { username: settings.username }),
  ...(settings.password === undefined ? {} : { password: Redacted.value(settings.password) }),
  // A command that can't be sent fails at once: the call goes on without the cache.
  disableOfflineQueue: true,
  socket: {
    connectTimeout: settings.connectTimeout,
    // A server that refuses the first connection, for a wrong password say, will refuse the next ones too.
    reconnectStrategy: (retries: number, cause: Error) =>
      isRefusal(cause) && !goesOn()
        ? new Error(cause.message)
        : Math.min(longestDelay, shortestDelay * 2 ** Math.min(retries, 10)) * (0.75 + Math.random() / 2),
    ...(settings.tls === undefined ? {} : { ...settings.tls, tls: true as const })
  }
})

const refused = (cause: unknown): CacheError => cacheError("connect", cause)

/** The server works in real time, also where a `TestClock` stands still. */
const realTime = Clock.make()

interface Connection {
  readonly isOpen: boolean
  readonly destroy: () => void
  readonly on: (event: "connect", listener: () => void) => unknown
}

/** `destroy` of node-redis leaves a socket behind that is about to connect: it is destroyed when it has connected. */
export const endClient = (client: Connection): void => {
  client.on("connect", () => client.destroy())
  if (client.isOpen) client.destroy()
}

/** node-redis refuses TLS for an address that begins with `redis:`. */
const addressOf = (url: string, { tls }: ConnectionSettings): string =>
  tls === undefined ? url : url.replace(/^redis:/, "rediss:")

/**
 * Connects to one server. Waits for the first attempt only: if no server answers, it goes on trying in the background, and commands
 * fail until it has connected. Fails if the server refuses the connection.
 */
export const connectOne = (settings: ConnectionSettings) =>
  Effect.gen(function* () {
    const { createClient } = yield* load
    const fork = yield* forkFromCallbacks
    const scope = yield* Effect.scope
    /** The program goes on, with a connection or until there is one: a refusal is an outage from now on, and not the end. */
    let goesOn = false
    let failure: unknown
    /** A connection was lost, and the first attempt to make it anew runs. Those who wait for its end. */
    let reconnecting: Array<() => void> | undefined
    const reconnected = () => {
      const waiting = reconnecting ?? []
      reconnecting = undefined
      for (const then of waiting) then()
    }
    const newClient = () =>
      createClient({
        url: addressOf(settings.urls[0], settings),
        ...(settings.database === undefined ? {} : { database: settings.database }),
        ...shared(settings, () => goesOn)
      })
    let current = yield* Effect.try({ try: newClient, catch: refused })
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        endClient(current)
        reconnected()
      })
    )

    /** @param onAnswer called when it is known whether a server answers, perhaps more than once */
    const start = (client: typeof current, onAnswer: (refusal?: CacheError) => void): void => {
      let connections = 0
      let wasReady = false
      client.on("ready", () => {
        goesOn = true
        wasReady = true
        failure = undefined
        onAnswer()
        reconnected()
      })
      client.on("error", (cause: unknown) => {
        // The connection that has not been greeted is no more: the client's own next attempt has its own time.
        connections++
        failure = cause
        // What a client says that was replaced tells nothing of the connection that is made now.
        if (client === current) {
          if (wasReady) reconnecting ??= []
          else reconnected()
        }
        wasReady = false
        if (isRefusal(cause)) return
        goesOn = true
        onAnswer()
      })
      // The server, or the network, may take the connection and never greet: node-redis would wait for ever.
      client.on("connect", () => {
        const connection = ++connections
        fork(
          Effect.sync(() => {
            goesOn = true
            onAnswer()
            replace(client)
          }).pipe(
            Effect.when(() => connection === connections && !client.isReady),
            Effect.delay(settings.connectTimeout),
            Effect.withClock(realTime),
            // Its timer would keep the process alive after the end of the layer.
            Effect.forkIn(scope)
          )
        )
      })
      client.connect().then(
        () => onAnswer(),
        (cause: unknown) => onAnswer(refused(cause))
      )
    }

    /**
     * Another client takes its place, and what was sent on it fails. To connect the same one again would leave two attempts beside
     * each other, and the socket of one of them open for ever.
     */
    const replace = (client: typeof current): void => {
      if (client !== current || !client.isOpen) return
      current = newClient()
      endClient(client)
      start(current, () => {})
      reconnected()
    }

    yield* Effect.async<void, CacheError>((resume) =>
      start(current, (refusal) => resume(refusal === undefined ? Effect.void : Effect.fail(refusal)))
    )
    return {
      client: () => current,
      /** Why there is no connection, if that is known. Of that node-redis says only that it is offline. */
      failure: () => failure,
      waits: (then: () => void) => {
        // An error need not have ended the connection.
        if (reconnecting === undefined || current.isReady) return false
        reconnecting.push(then)
        return true
      },
      /** Makes the connection anew. Without one the client connects already. */
      reconnect: () => {
        if (current.isReady) replace(current)
      }
    }
  })

const retryCluster = "1 second"

/** Connects to a cluster, in the same way. */
const connectCluster = (settings: ConnectionSettings): Effect.Effect<RedisClient, CacheError, Scope.Scope> =>
  Effect.gen(function* () {
    const { createCluster } = yield* load
    let hasConnected = false
    const cluster = yield* Effect.acquireRelease(
      Effect.try({
        try: () =>
          createCluster({
            rootNodes: settings.urls.map((url) => ({ url: addressOf(url, settings) })),
            defaults: shared(settings, () => hasConnected)
          }),
        catch: refused
      }),
      (made) => Effect.sync(() => made.isOpen && made.destroy())
    )
    cluster.on("error", () => {})
    const attempt = Effect.map(Effect.tryPromise({ try: () => cluster.connect(), catch: (cause) => cause }), () => {
      hasConnected = true
    })
    const untilConnected: Effect.Effect<void> = Effect.catchAll(
      Effect.zipRight(backgroundSleep(retryCluster), attempt),
      () => Effect.suspend(() => untilConnected)
    )
    yield* Effect.catchAll(attempt, (cause) =>
      isRefusal(cause) ? Effect.fail(refused(cause)) : Effect.asVoid(Effect.forkScoped(untilConnected))
    )
    const { isCluster, send } = fromCluster(cluster)
    return {
      isCluster,
      send: (key, command) =>
        hasConnected ? send(key, command) : Promise.reject(new Error("no server of the cluster has answered yet"))
    }
  })

const noConnection = (cause: unknown): Error =>
  new Error(`no connection: ${(cause instanceof Error && cause.message) || String(cause)}`, { cause })

export const connect = (settings: ConnectionSettings): Effect.Effect<OwnClient, CacheError, Scope.Scope> =>
  settings.isCluster
    ? connectCluster(settings)
    : Effect.map(connectOne(settings), ({ client, failure, reconnect, waits }) => ({
        isCluster: false,
        send: (key, command) => {
          const current = client()
          const why = current.isReady ? undefined : failure()
          return why === undefined ? fromClient(current).send(key, command) : Promise.reject(noConnection(why))
        },
        reconnect,
        waits
      }))
