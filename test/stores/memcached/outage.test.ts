/**
 * What a program notices of a memcached in trouble: `cached` through the layer, under a steady load. Each test prints what
 * it measured.
 */
import { describe, expect, it } from "@effect/vitest"
import { Console, Effect, Logger, LogLevel, type Scope } from "effect"
import * as MemcachedBackend from "effect-cached/MemcachedBackend"
import { Keyspace } from "../../../src/internal/entries/keyspace.js"
import { makeRing } from "../../../src/internal/stores/memcached/client/Ring.js"
import { parseServers } from "../../../src/internal/stores/memcached/client/Servers.js"
import { addresses, type MemcachedServer, memcached, memcachedPool } from "../../servers/memcached.js"
import { type Relay, relayTo } from "../../servers/relay.js"
import { whole } from "../../support/size.js"
import { type Cost, steadyKeys, steadyLoad } from "./steadyLoad.js"
import { eventually, freshNamespace, isDown, patience } from "./support.js"

/** All other options are left to their defaults: they are what is tried. */
const timeout = 800

/** One or the other call meets a moment in which the machine gave no time to a server. */
const few = 0.05

/** A call waits for one answer that does not come, and then computes. */
const waitsOnce = (cost: Cost): boolean => cost.above(1.5 * timeout + cost.noise) / cost.calls < few

/** So many troubles at once: most of their time they wait. */
const lanes = Effect.runSync(Effect.makeSemaphore(3))

interface Trouble {
  /** The server that must be known to be down then; none where it is only slow, or comes and goes. */
  readonly down: string | undefined
  readonly begin: Effect.Effect<unknown, Error, Scope.Scope>
  readonly end: Effect.Effect<unknown, Error>
}

interface Situation {
  readonly servers: string
  readonly trouble: Trouble
  readonly namespace?: string
  readonly failover?: boolean
  readonly group?: string
  /** The keys that it takes; all of them unless given. */
  readonly lost?: ReadonlyArray<string>
}

interface Course {
  readonly before: Cost
  readonly during: Cost
  /** Of these keys, from when the trouble is known until its end. */
  readonly onceKnown: (keys: ReadonlyArray<string>) => Cost
}

const milliseconds = (time: number): string => `${Math.max(0, time).toFixed(1)} ms`

/** Goes through the trouble with the load running, and checks what holds in any. */
const through = (what: string, { failover = false, group, lost, namespace, servers, trouble }: Situation) =>
  Effect.gen(function* () {
    const load = yield* steadyLoad(group)
    yield* load.untilHits
    const start = performance.now()
    yield* load.untilCalls(300)
    const begin = performance.now()
    yield* trouble.begin
    if (trouble.down !== undefined) yield* eventually(isDown(trouble.down), (down) => down)
    else yield* load.untilCalls(300)
    const known = performance.now()
    yield* load.untilCalls(300)
    const end = performance.now()
    yield* trouble.end
    yield* load.untilHits
    const back = load.firstHit(end, lost) - end
    // Until then the others stood in: what it has kept for so long is still to be seen.
    if (failover) yield* load.untilCalls(1_000)
    const during = load.cost(begin, end)
    const all = load.cost(begin, performance.now())
    yield* Console.log(
      `${what}: ${during.calls} calls cost ${milliseconds(during.median)} more in the median, ` +
        `${milliseconds(all.slowest)} at most; hit again after ${milliseconds(back)}`
    )
    expect(load.wrongs()).toEqual({ outdated: 0, failed: [] })
    expect(waitsOnce(all)).toBe(true)
    expect(all.slowest).toBeLessThan(patience)
    const course: Course = {
      before: load.cost(start, begin),
      during,
      onceKnown: (keys) => load.cost(known, end, keys)
    }
    return course
  }).pipe(
    Effect.provide(MemcachedBackend.layer({ servers, timeout, failover, namespace: namespace ?? freshNamespace() })),
    Logger.withMinimumLogLevel(LogLevel.None),
    Effect.scoped
  )

const share = ({ calls, hits }: Cost): number => hits / calls

const noTimeOuts = (cost: Cost) => {
  expect(cost.median).toBeLessThan(timeout / 4)
  expect(cost.above(timeout / 2 + cost.noise) / cost.calls).toBeLessThan(few)
}

describe.concurrent("cached, with its only server", () => {
  const onServer = (what: string, trouble: (server: MemcachedServer) => Trouble) =>
    it.scopedLive(what, () =>
      Effect.gen(function* () {
        const server = yield* memcached()
        const { onceKnown } = yield* through(what, { servers: server.address, trouble: trouble(server) })
        expect(onceKnown(steadyKeys).hits).toBe(0)
        noTimeOuts(onceKnown(steadyKeys))
      }).pipe(lanes.withPermits(1))
    )

  onServer("killed, and restarted without its memory", ({ address, kill, start }) => ({
    down: address,
    begin: kill,
    end: start
  }))
  onServer("frozen", ({ address, freeze, thaw }) => ({ down: address, begin: freeze, end: thaw }))

  const onRelay = (
    what: string,
    trouble: (relay: Relay) => Trouble,
    check: (course: Course) => void = ({ onceKnown }) => noTimeOuts(onceKnown(steadyKeys))
  ) =>
    it.scopedLive(what, () =>
      Effect.gen(function* () {
        const relay = yield* relayTo(yield* memcached())
        check(yield* through(what, { servers: relay.address, trouble: trouble(relay) }))
      }).pipe(lanes.withPermits(1))
    )

  const delaying = (relay: Relay, millis: number): Trouble => ({
    down: millis > timeout ? relay.address : undefined,
    begin: Effect.sync(() => {
      relay.delay = millis
    }),
    end: Effect.sync(() => {
      relay.delay = 0
    })
  })

  if (whole) {
    onRelay(
      "50 ms away",
      (relay) => delaying(relay, 50),
      ({ during }) => expect(during.hits).toBeGreaterThan(0)
    )
  }
  onRelay("2 s away", (relay) => delaying(relay, 2_000))
  onRelay("swallowed by the network", (relay) => ({
    down: relay.address,
    begin: Effect.sync(() => {
      relay.swallow = true
    }),
    end: Effect.sync(() => {
      relay.swallow = false
    })
  }))
  onRelay("cut off in the middle of answers", (relay) => {
    let lasts = true
    const cutting = Effect.gen(function* () {
      for (let round = 0; lasts; round++) {
        relay.cutAfter = (round * 137) % 1_000
        yield* Effect.sleep(10)
      }
      relay.cutAfter = undefined
    })
    return {
      down: undefined,
      begin: Effect.forkScoped(cutting),
      end: Effect.sync(() => {
        lasts = false
      })
    }
  })
})

describe.concurrent("cached, with one server of three", () => {
  /** In trouble is the one with the most keys: where each has so few, some may have next to none. */
  const pool = Effect.gen(function* () {
    const servers = yield* memcachedPool(3)
    const ring = makeRing(yield* parseServers(addresses(servers)))
    const namespace = freshNamespace()
    const names = Keyspace.under(namespace, 1)
    const primaryOf = (key: string) => ring.primary(names.finish(key))
    const keysOf = (server: number) => steadyKeys.filter((key) => primaryOf(key) === server)
    const index = [0, 1, 2].reduce((most, server) => (keysOf(server).length > keysOf(most).length ? server : most))
    const server = servers[index]
    if (server === undefined) return yield* Effect.dieMessage("no server")
    const groups = Array.from({ length: 100 }, (_, number) => `group-${number}`)
    const onServer = (group: string) => Effect.map(names.group("test", group), (key) => ring.primary(key) === index)
    return {
      servers: addresses(servers),
      namespace,
      server,
      own: keysOf(index),
      others: steadyKeys.filter((key) => primaryOf(key) !== index),
      group: yield* Effect.flatten(Effect.findFirst(groups, onServer))
    }
  })

  const troubles = [
    [false, "frozen"],
    [true, "killed"],
    [false, "killed"],
    [true, "frozen"]
  ] as const
  for (const [failover, how] of whole ? troubles : troubles.slice(0, 2)) {
    const what = `${how}, ${failover ? "with" : "without"} failover`
    it.scopedLive(what, () =>
      Effect.gen(function* () {
        const { namespace, others, own, server, servers } = yield* pool
        const trouble: Trouble = {
          down: server.address,
          ...(how === "killed" ? { begin: server.kill, end: server.start } : { begin: server.freeze, end: server.thaw })
        }
        const { before, onceKnown } = yield* through(what, { servers, trouble, namespace, failover, lost: own })
        noTimeOuts(onceKnown(steadyKeys))
        // The other two serve their keys as ever.
        expect(share(onceKnown(others))).toBeGreaterThan(share(before) / 2)
        if (failover) expect(share(onceKnown(own))).toBeGreaterThan(share(before) / 2)
        else expect(onceKnown(own).hits).toBe(0)
      }).pipe(lanes.withPermits(1))
    )
  }

  it.scopedLive("which keeps the version of their group: they are computed until it is back", () =>
    Effect.gen(function* () {
      const { group, namespace, server, servers } = yield* pool
      const { onceKnown } = yield* through("killed, and with it the version of all keys' group", {
        servers,
        trouble: { down: server.address, begin: server.kill, end: server.start },
        namespace,
        group
      })
      noTimeOuts(onceKnown(steadyKeys))
      expect(onceKnown(steadyKeys).hits).toBe(0)
    }).pipe(lanes.withPermits(1))
  )
})
