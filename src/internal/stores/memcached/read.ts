/**
 * Reads keys from all servers concerned at once. The hot path of every hit, so written for few objects: one Effect and
 * one listener, whatever the number of keys and servers.
 *
 * @since 0.1.0
 */
import { Effect } from "effect"
import type { StoredBytes } from "../../../ByteStore.js"
import type { CacheError } from "../../../CacheError.js"
import type { Asker, Found, Reading } from "../legacy.js"
import { standIn } from "./client/exchange.js"
import type { Pool, Route } from "./client/Pool.js"
import { type Part, split } from "./client/split.js"
import type { Listener, Problem } from "./commands/Command.js"
import { ReadCall } from "./commands/ReadCommand.js"

export type Records = Found<StoredBytes>
type Resume = (result: Effect.Effect<Records, Problem>) => void

/** Hands the records of the only server on. */
class Whole implements Listener<Records> {
  constructor(private readonly resume: Resume) {}

  done(found: Records): void {
    this.resume(Effect.succeed(found))
  }

  failed(problem: Problem): void {
    this.resume(Effect.fail(problem))
  }
}

/** Waits for the records of all servers; the first failure is the result. */
class Assembly {
  private readonly records: Array<StoredBytes | undefined>
  private open: number

  constructor(
    size: number,
    parts: number,
    private readonly resume: Resume
  ) {
    this.records = new Array(size).fill(undefined)
    this.open = parts
  }

  part(positions: ReadonlyArray<number>): Listener<Records> {
    return {
      done: (found) => {
        for (let index = 0; index < found.length; index++) this.records[positions[index] ?? 0] = found[index]
        this.open -= 1
        if (this.open === 0) this.resume(Effect.succeed(this.records))
      },
      failed: (problem) => this.resume(Effect.fail(problem))
    }
  }
}

const readOne = (route: Route, keys: ReadonlyArray<string>, resume: Resume): Effect.Effect<void> | undefined =>
  route.holder.ask(new ReadCall(route.home, route.holder.index, keys, new Whole(resume)))

const readParts = (
  size: number,
  parts: ReadonlyArray<Part<string>>,
  resume: Resume
): Effect.Effect<void> | undefined => {
  const assembly = new Assembly(size, parts.length, resume)
  const abandons = parts.flatMap(({ elements, positions, route: { holder, home } }) => {
    const abandon = holder.ask(new ReadCall(home, holder.index, elements, assembly.part(positions)))
    return abandon === undefined ? [] : [abandon]
  })
  return abandons.length === 0 ? undefined : Effect.all(abandons, { discard: true })
}

const self = (key: string): string => key

/** The route that all keys share, if they do and it can be used as it is. */
const sharedRoute = (pool: Pool, keys: ReadonlyArray<string>): Route | undefined => {
  const route = pool.route(keys[0] ?? "")
  if (pool.connections.length === 1) return route
  for (let index = 1; index < keys.length; index++) {
    const other = pool.route(keys[index] ?? "")
    if (other.home !== route.home || other.holder !== route.holder) return undefined
  }
  return route.holder.generations.standsInFor(route.home) ? route : undefined
}

const readStrangers = (parts: ReadonlyArray<Part<string>>): Effect.Effect<void, Problem> =>
  Effect.forEach(parts, ({ route }) => standIn(route), { concurrency: "unbounded", discard: true })

/** Hands the records of the only server to who asked by callbacks. */
class Asking implements Listener<Records> {
  constructor(
    private readonly asker: Asker<Records>,
    private readonly errorOf: (problem: Problem) => CacheError
  ) {}

  done(found: Records): void {
    this.asker.answered(found)
  }

  failed(problem: Problem): void {
    this.asker.failed(Effect.fail(this.errorOf(problem)))
  }
}

/**
 * Asks by callbacks, which nobody can give up on, when one server has all keys; otherwise tells what to do in its place.
 */
export const askOne = (
  pool: Pool,
  keys: ReadonlyArray<string>,
  asker: Asker<Records>,
  errorOf: (problem: Problem) => CacheError
): Reading<StoredBytes> | "several" | undefined => {
  const route = sharedRoute(pool, keys)
  if (route === undefined) return "several"
  const { refusal } = route.holder
  if (refusal !== undefined) return Effect.fail(errorOf(refusal))
  route.holder.ask(new ReadCall(route.home, route.holder.index, keys, new Asking(asker, errorOf)))
  return undefined
}

/** Registers for the records of at least one key; the answer tells how to give up on them. */
export const readMany = (pool: Pool, keys: ReadonlyArray<string>): Effect.Effect<Records, Problem> =>
  Effect.async<Records, Problem>((resume) => {
    const route = sharedRoute(pool, keys)
    if (route !== undefined) return readOne(route, keys, resume)
    const parts = split(pool, keys, self)
    const strangers = parts.filter(({ route }) => !route.holder.generations.standsInFor(route.home))
    if (strangers.length === 0) return readParts(keys.length, parts, resume)
    resume(Effect.zipRight(readStrangers(strangers), readMany(pool, keys)))
    return undefined
  })
