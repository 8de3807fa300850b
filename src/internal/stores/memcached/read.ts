/**
 * Reads keys from all servers concerned at once. This is the path of every hit, so it makes few objects: one Effect and one
 * listener, and one more for each server if there are several.
 */
import { Effect } from "effect"
import type { StoredBytes } from "../../../ByteStore.js"
import type { CacheError } from "../../../CacheError.js"
import type { Found, FusedRead } from "../Store.js"
import { checked } from "./checked.js"
import { prepareStandIn } from "./client/exchange.js"
import type { Pool, Route } from "./client/Pool.js"
import { type Listener, orDie } from "./commands/Command.js"
import type { Problem } from "./commands/Problem.js"
import { ReadCommand } from "./commands/ReadCommand.js"
import { cacheError } from "./errors.js"
import { isKey } from "./protocol/request.js"

type Records = Found<StoredBytes>

/** Resumes the caller, in the callback of the socket, with what it makes of the answer. */
class Caller<A, E, R> implements Listener<Records> {
  constructor(
    private readonly resume: (effect: Effect.Effect<A, E, R>) => void,
    private readonly onFound: (found: Records) => Effect.Effect<A, E, R>,
    private readonly onFailure: (error: CacheError) => Effect.Effect<A, E, R>
  ) {}

  done(found: Records): void {
    this.resume(orDie(this.onFound, found))
  }

  failed(problem: Problem): void {
    this.resume(orDie(this.onFailure, cacheError("read", problem)))
  }
}

/** Waits for the records of all servers. The first failure is the result. */
class Assembly {
  private readonly records: Array<StoredBytes | undefined>

  constructor(
    size: number,
    private open: number,
    private readonly caller: Listener<Records>
  ) {
    this.records = new Array(size).fill(undefined)
  }

  /** The listener to one server, which has the records of these positions. */
  part(positions: ReadonlyArray<number>): Listener<Records> {
    return {
      done: (found) => {
        for (let index = 0; index < found.length; index++) this.records[positions[index] ?? 0] = found[index]
        this.open -= 1
        if (this.open === 0) this.caller.done(this.records)
      },
      failed: (problem) => {
        const isFirst = this.open > 0
        this.open = 0
        if (isFirst) this.caller.failed(problem)
      }
    }
  }
}

const askOne = ({ primary, server }: Route, keys: ReadonlyArray<string>, listener: Listener<Records>) =>
  server.ask(new ReadCommand(primary, server.index, keys), listener)

const self = (key: string): string => key

/** Asks the servers of all keys. Returns how to abandon the commands that wait for a connection. */
const ask = (pool: Pool, keys: ReadonlyArray<string>, caller: Listener<Records>): Effect.Effect<void> | undefined => {
  const shared = pool.sharedRoute(keys, self)
  if (shared !== undefined) return askOne(shared, keys, caller)
  const parts = pool.split(keys, self)
  const assembly = new Assembly(keys.length, parts.length, caller)
  const abandons = parts.flatMap(({ elements, positions, route }) => {
    const abandon = askOne(route, elements, assembly.part(positions))
    return abandon === undefined ? [] : [abandon]
  })
  return abandons.length === 0 ? undefined : Effect.all(abandons, { discard: true })
}

/** Where stand-in servers may have to be prepared first. */
const readWithStandIns = (pool: Pool, keys: ReadonlyArray<string>): Effect.Effect<Records, CacheError> =>
  // In one step with the look at what is prepared: an Effect in between would let a server go down.
  Effect.async<Records, CacheError>((resume) => {
    const unprepared = pool
      .split(keys, self)
      .filter(({ route: { primary, server } }) => !server.generations.isPreparedFor(primary))
    if (unprepared.length === 0) return ask(pool, keys, new Caller(resume, Effect.succeed, Effect.fail))
    resume(Effect.zipRight(prepareStandIns(unprepared.map(({ route }) => route)), readWithStandIns(pool, keys)))
    return undefined
  })

const prepareStandIns = (routes: ReadonlyArray<Route>): Effect.Effect<void, CacheError> =>
  Effect.mapError(Effect.forEach(routes, prepareStandIn, { concurrency: "unbounded", discard: true }), (problem) =>
    cacheError("read", problem)
  )

export const readFrom =
  (pool: Pool): FusedRead<StoredBytes> =>
  (_fiber, keys, onFound, onFailure) => {
    if (keys.length === 0) return onFound([])
    if (!pool.settings.failover && keys.every(isKey)) {
      return Effect.async((resume) => ask(pool, keys, new Caller(resume, onFound, onFailure)))
    }
    const reading = checked(pool, "read", keys, readWithStandIns(pool, keys))
    return Effect.matchEffect(reading, { onFailure, onSuccess: onFound })
  }
