/** Random reads and invalidations through several caches over one store, and how old what they read was. */
import { Effect, Either, Logger, LogLevel } from "effect"
import { CacheBackend, type CacheBackendService, cached, invalidateGroup } from "effect-cached"

const keys = 12
const fibers = 16
const changing = 0.03

/** What each key was changed to, and when that was invalidated. */
class Truth {
  readonly now = new Array<number>(keys).fill(0)
  private readonly invalidated = Array.from({ length: keys }, (): Array<{ version: number; at: number }> => [])

  change(id: number): number {
    const version = (this.now[id] ?? 0) + 1
    this.now[id] = version
    return version
  }

  /** The invalidation of this version has returned. */
  tell(id: number, version: number): void {
    this.invalidated[id]?.push({ version, at: performance.now() })
  }

  /** For how many milliseconds something newer than this version had been told by then; negative if nothing had. */
  overdue(id: number, version: number, moment: number): number {
    const first = this.invalidated[id]?.find((one) => one.version > version)
    return first === undefined ? -1 : moment - first.at
  }
}

export interface Attack {
  readonly reads: number
  /** Reads that were older than an invalidation of their own process. */
  readonly ownOld: number
  /** Reads that were older than an invalidation of another process by more than `maxStaleness`. */
  readonly otherOld: number
  /** Milliseconds by which the oldest read was older than an invalidation. */
  readonly oldest: number
  readonly hits: number
  /** Invalidations that failed. Nothing is promised of them. */
  readonly failed: number
}

export interface AttackOptions {
  readonly operations: number
  /** Milliseconds. */
  readonly maxStaleness: number
  /** What is done to the bus, again and again. */
  readonly meanwhile: Effect.Effect<void>
}

/** @param caches each as that of a process of its own */
export const attack = (
  caches: ReadonlyArray<CacheBackendService>,
  { maxStaleness, meanwhile, operations }: AttackOptions
): Effect.Effect<Attack, unknown> =>
  Effect.gen(function* () {
    const truth = new Truth()
    /** Which process has invalidated each version: there nothing older may be read afterwards. */
    const own = caches.map(() => new Truth())
    const seen = { reads: 0, ownOld: 0, otherOld: 0, oldest: 0, failed: 0 }
    const city = cached(
      (id: number) =>
        Effect.delay(
          Effect.sync(() => truth.now[id] ?? 0),
          Math.random() * 3
        ),
      { key: "city", ttl: "1 minute", groups: (id) => [`group ${id % 3}`], lease: "2 seconds" }
    )

    const invalidate = (process: number, cache: CacheBackendService, id: number) =>
      Effect.gen(function* () {
        const version = truth.change(id)
        const isGroup = Math.random() < 0.3
        const how = Math.random()
        const invalidation = isGroup
          ? invalidateGroup(`group ${id % 3}`)
          : how < 0.6
            ? city.invalidate(id)
            : how < 0.8
              ? city.forceRecalc(id)
              : cache.delete(city.cacheKey(id))
        const outcome = yield* Effect.either(Effect.provideService(invalidation, CacheBackend, cache))
        if (Either.isLeft(outcome)) {
          seen.failed++
          return
        }
        truth.tell(id, version)
        own[process]?.tell(id, version)
      })

    const read = (process: number, cache: CacheBackendService, id: number) =>
      Effect.gen(function* () {
        const begin = performance.now()
        const version = yield* Effect.provideService(city(id), CacheBackend, cache)
        const age = truth.overdue(id, version, begin)
        seen.reads++
        seen.oldest = Math.max(seen.oldest, age)
        if (age >= maxStaleness) seen.otherOld++
        if ((own[process]?.overdue(id, version, begin) ?? -1) >= 0) seen.ownOld++
      })

    let made = 0
    const one = (index: number) =>
      Effect.gen(function* () {
        made++
        const process = Math.floor(Math.random() * caches.length)
        const cache = caches[process]
        if (cache === undefined) return
        const id = Math.floor(Math.random() ** 2 * keys)
        yield* Math.random() < changing ? invalidate(process, cache, id) : read(process, cache, id)
        if (index % 4 === 0) yield* Effect.sleep(Math.random() * 4)
        else yield* Effect.yieldNow()
      })
    const fiber = yield* Effect.fork(Effect.forever(meanwhile))
    yield* Effect.forEach(
      Array.from({ length: fibers }, (_, index) => index),
      (index) => Effect.repeat(one(index), { while: () => made < operations }),
      { concurrency: "unbounded", discard: true }
    )
    yield* fiber.interruptAsFork(fiber.id())
    const stats = yield* Effect.forEach(caches, (cache) => cache.stats)
    return { ...seen, hits: stats.reduce((sum, { hits }) => sum + hits, 0) }
  }).pipe(Logger.withMinimumLogLevel(LogLevel.None))
