/**
 * A circuit breaker in front of a store on a network (Nygard, "Release It!", 2007). After a few outages in a row it opens: calls
 * skip the store at once, and one probe at a time finds out when the store is back. A fiber of the layer probes; no caller waits
 * for it. The probes also replay the invalidations that were queued during the outage. Where only writes fail, only they are
 * skipped: what the store has is still served, and removed.
 */
import { Cause, Effect, Option, type Scope } from "effect"
import { CacheError } from "../../CacheError.js"
import type { RejectedItem } from "../../CacheStore.js"
import { backgroundSleep } from "../runtime/eventLoop.js"
import { type CallingFiber, isInTransaction, nowMillis, withFiber } from "../runtime/fiber.js"
import { unfused } from "../stores/fused.js"
import type { Store } from "../stores/Store.js"
import { breakerGauge } from "../telemetry/metrics.js"
import { Warnings } from "../telemetry/warnings.js"
import { InvalidationQueue } from "./invalidationQueue.js"
import { LateNews } from "./lateNews.js"
import { CircuitOpen, ignoredByBreaker, isOutage, isRefusal } from "./outage.js"
import { type Kind, type Skipped, Streaks } from "./Streaks.js"

export interface BreakerSettings {
  /** How many outages in a row open the breaker. */
  readonly failures: number
  /** Milliseconds between probes. */
  readonly retryAfter: number
  /** Whether invalidations that fail because of an outage are queued and replayed. */
  readonly queueInvalidations: boolean
}

/** A key that nobody has. */
const probeKey = "v0:effect-cached:probe"

/** What `guard` asks of a breaker at each operation. */
export interface Breaker {
  /**
   * Why the operation is skipped; `undefined` where the store is to be asked.
   *
   * @param needed keys of which the store must have every invalidation first: those that are read, or whose entry is replaced
   */
  readonly refusal: (fiber: CallingFiber, kind: Kind, needed?: ReadonlyArray<string>) => CacheError | undefined
  readonly succeeded: (fiber: CallingFiber, kind: Kind) => void
  readonly written: (fiber: CallingFiber, keys: ReadonlyArray<string>, rejected: ReadonlyArray<RejectedItem>) => void
  /** Counts the outage or refusal, opens the breaker if that was one too many, and goes on with the caller's `onFailure`. */
  readonly failed: <A, E, R>(
    fiber: CallingFiber,
    kind: Kind,
    key: string | undefined,
    error: CacheError,
    onFailure: (error: CacheError) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E, R>
  /** Queues the invalidation that has failed with this error. Returns whether it did. */
  readonly queues: (fiber: CallingFiber, keys: ReadonlyArray<string> | "all", error: CacheError) => boolean
  /** Set where invalidations are queued. */
  readonly tellReplayed: Store["tellReplayed"]
}

/** The breaker of a store. Its probes run in a fiber of the scope. */
export const circuitBreaker = (store: Store, settings: BreakerSettings): Effect.Effect<Breaker, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { queueInvalidations } = settings
    const openBreakers = breakerGauge({ store: store.name })
    const lateNews = new LateNews()
    const queue = new InvalidationQueue(store, (changed) => lateNews.add(changed))
    const skipped = (description: string) =>
      new CacheError({
        reason: "Unavailable",
        operation: "breaker",
        description,
        cause: new CircuitOpen({ store: store.name })
      })
    // Made once: an Error captures its stack when it is made, which costs more than the rest of a skipped call.
    const open = skipped(`the ${store.name} store keeps failing and is not asked until a probe succeeds`)
    const unwritable = skipped(`the ${store.name} store takes no writes and is only read until a probe succeeds`)
    const awaitingReplay = skipped("the key was invalidated during an outage, and that could not be replayed yet")

    let skips: Skipped = "nothing"
    // Whether the log says that the breaker is open. A store that comes and goes is told once a minute.
    let isReported = false
    const warnings = new Warnings()
    let lastFailed = probeKey
    const streaks = new Streaks(settings.failures)
    // A latch that a synchronous call opens: the fiber whose failure opens the breaker may be interrupted at that very line.
    const probesWanted = Effect.unsafeMakeLatch()

    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        if (skips !== "nothing") openBreakers.unsafeModify(-1, [])
      })
    )

    /** Of an entry that has run out already. */
    const probeWrite: Effect.Effect<void, CacheError> = withFiber((fiber) =>
      Effect.flatMap(
        unfused(store.write)([
          { key: probeKey, entry: { value: undefined, lease: { id: "probe", until: nowMillis(fiber) }, groups: [] } }
        ]),
        ([rejected]) => rejected?.error ?? Effect.void
      )
    )

    /** `true`: the store is back. `false`: it failed with an error that the breaker ignores. Otherwise it fails. */
    const probe: Effect.Effect<boolean, CacheError> = withFiber((fiber): Effect.Effect<unknown, CacheError> => {
      if (skips === "writes") {
        return Effect.zipRight(queue.isEmpty ? Effect.void : Effect.ignore(queue.replay), probeWrite)
      }
      return queue.isEmpty ? store.read(fiber, [lastFailed], () => Effect.void, Effect.fail) : queue.replay
    }).pipe(
      Effect.as(true),
      Effect.catchIf(ignoredByBreaker, () => Effect.succeed(false))
    )

    /** Logs that the breaker is open, unless the log says so already. */
    const report = (failure: Option.Option<CacheError>): Effect.Effect<void> =>
      Effect.suspend(() => {
        if (isReported || skips === "nothing") return Effect.void
        const why = Option.match(failure, {
          onNone: () => "",
          onSome: ({ description, reason }) => `: ${description} (${reason})`
        })
        const message = () =>
          skips === "writes"
            ? `Cache store ${store.name} failed to store ${settings.failures} times in a row: what it has is served, nothing new is stored${why}`
            : `Cache store ${store.name} failed ${settings.failures} times in a row: calls go on without it${why}`
        return Effect.map(warnings.tryWarn(`skips ${skips}`, message), (logged) => {
          isReported = logged
        })
      })

    const probeUntilBack: Effect.Effect<void> = Effect.flatMap(
      Effect.exit(Effect.zipRight(backgroundSleep(settings.retryAfter), probe)),
      (exit) => {
        if (exit._tag === "Failure") return Effect.zipRight(report(Cause.failureOption(exit.cause)), probeUntilBack)
        const wasOpen = skips !== "nothing"
        skips = "nothing"
        streaks.succeeded("write")
        if (wasOpen) openBreakers.unsafeModify(-1, [])
        // Not all is replayed yet: the queued keys stay unread, all others can be read.
        if (!queue.isEmpty) return probeUntilBack
        probesWanted.unsafeClose()
        const wasReported = isReported
        isReported = false
        return wasOpen && wasReported && exit.value ? Effect.logInfo(`Cache store ${store.name} is back`) : Effect.void
      }
    )
    yield* Effect.forkScoped(Effect.interruptible(Effect.forever(Effect.zipRight(probesWanted.await, probeUntilBack))))
    if (queueInvalidations) yield* Effect.forkScoped(Effect.interruptible(lateNews.run(settings.retryAfter)))

    /** A transaction uses the user's own connection, so it bypasses the breaker: its failure reaches the user. */
    const isInside = (fiber: CallingFiber): boolean =>
      isInTransaction(fiber) && store.joinsTransaction?.(fiber) !== false

    /** A store that takes no writes takes most often no removals either, and both until somebody mends it. */
    const isQueueable = (error: CacheError): boolean => isOutage(error) || (skips === "writes" && isRefusal(error))

    return {
      refusal: (fiber, kind, needed) => {
        // A computation from before a queued invalidation has its lease still, and its value must not be stored.
        const isBlocked = queueInvalidations && needed !== undefined && queue.blocks(needed)
        if (isBlocked && (kind === "read" || !isInside(fiber))) return awaitingReplay
        if (skips === "nothing" || (skips === "writes" && kind !== "write") || isInside(fiber)) return undefined
        return skips === "everything" ? open : unwritable
      },
      succeeded: (fiber, kind) => {
        if (streaks.hasFailed && !isInside(fiber)) streaks.succeeded(kind)
      },
      written: (fiber, keys, rejected) => {
        if ((!streaks.hasFailed && !queueInvalidations) || isInside(fiber)) return
        streaks.succeeded("write")
        // What a transaction writes may be rolled back: then the queued invalidation must still be replayed.
        queue.written(keys, rejected)
      },
      failed: (fiber, kind, key, error, onFailure) => {
        if (skips === "everything" || isInside(fiber)) return onFailure(error)
        if (isOutage(error) && key !== undefined) lastFailed = key
        const next = streaks.failed(kind, key, error)
        if (next === "nothing" || next === skips) return onFailure(error)
        if (skips === "nothing") openBreakers.unsafeModify(1, [])
        skips = next
        isReported = false
        probesWanted.unsafeOpen()
        return Effect.zipRight(
          report(Option.some(error)),
          Effect.suspend(() => onFailure(error))
        )
      },
      queues: (fiber, keys, error) => {
        if (!queueInvalidations || !isQueueable(error) || isInside(fiber)) return false
        if (keys === "all") queue.addClear()
        else queue.add(keys)
        probesWanted.unsafeOpen()
        return true
      },
      tellReplayed: queueInvalidations ? lateNews.through : undefined
    }
  })
