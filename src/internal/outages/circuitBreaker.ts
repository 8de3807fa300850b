/**
 * A circuit breaker in front of a store on a network (Nygard, "Release It!", 2007). After a few outages in a row it opens: calls
 * skip the store at once, and one probe at a time finds out when the store is back. A fiber of the layer probes; no caller waits
 * for it. The probes also replay the invalidations that were queued during the outage. Where only writes fail, only they are skipped:
 * what the store has is still served, and removed.
 */
import { Cause, Effect, Option, type Scope } from "effect"
import { CacheError } from "../../CacheError.js"
import type { Token } from "../../CacheStore.js"
import { backgroundSleep } from "../runtime/eventLoop.js"
import { type CallingFiber, nowMillis, withFiber } from "../runtime/fiber.js"
import { isInTransaction } from "../runtime/transaction.js"
import { unfused } from "../stores/fused.js"
import { amendThrough, type Fused, identityOf, type Store } from "../stores/Store.js"
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

/** The store behind a breaker. */
export const guard = (store: Store, settings: BreakerSettings): Effect.Effect<Store, never, Scope.Scope> =>
  Effect.gen(function* () {
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
    let isClosed = false
    // Whether the log says that the breaker is open. A store that comes and goes is told once a minute.
    let isReported = false
    const warnings = new Warnings()
    let lastFailed = probeKey
    const streaks = new Streaks(settings.failures)
    // A latch that a synchronous call opens: the fiber whose failure opens the breaker may be interrupted at that very line.
    const probesWanted = Effect.unsafeMakeLatch()

    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        isClosed = true
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
    if (settings.queueInvalidations) yield* Effect.forkScoped(Effect.interruptible(lateNews.run(settings.retryAfter)))

    /** Counts the outage or refusal, opens the breaker if that was one too many, and goes on with the caller's `onFailure`. */
    const afterFailure = <A, E, R>(
      kind: Kind,
      key: string | undefined,
      error: CacheError,
      onFailure: (error: CacheError) => Effect.Effect<A, E, R>
    ): Effect.Effect<A, E, R> => {
      // Once the layer closes, failures say nothing about the store.
      if (skips === "everything" || isClosed) return onFailure(error)
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
    }

    /** A transaction uses the user's own connection, so it bypasses the breaker: its failure reaches the user. */
    const isInside = (fiber: CallingFiber): boolean =>
      isInTransaction(fiber) && store.joinsTransaction?.(fiber) !== false

    const fusedGuard =
      <Request, Answer>(
        kind: "read" | "write",
        operation: Fused<Request, Answer>,
        keyOf: (request: Request | undefined) => string | undefined,
        refusalIn: (answer: Answer, requests: number) => CacheError | undefined
      ): Fused<Request, Answer> =>
      (fiber, requests, onAnswer, onFailure) => {
        if (isInside(fiber)) return operation(fiber, requests, onAnswer, onFailure)
        if (skips !== "nothing" && (skips === "everything" || kind === "write")) {
          return onFailure(skips === "everything" ? open : unwritable)
        }
        const key = keyOf(requests[0])
        const { length } = requests
        return operation(
          fiber,
          requests,
          (answer) => {
            const refusal = refusalIn(answer, length)
            if (refusal !== undefined) return afterFailure(kind, key, refusal, () => onAnswer(answer))
            streaks.succeeded(kind)
            return onAnswer(answer)
          },
          (error) => afterFailure(kind, key, error, onFailure)
        )
      }

    const guardedRead = fusedGuard(
      "read",
      store.read,
      (key) => key,
      () => undefined
    )
    const guardedWrite = fusedGuard(
      "write",
      store.write,
      (item) => item?.key,
      // if some were written, those that were not are at fault themselves
      (rejected, items) => (rejected.length === items ? rejected[0]?.error : undefined)
    )

    const guarded = <A>(
      kind: Kind,
      key: string | undefined,
      operation: () => Effect.Effect<A, CacheError>
    ): Effect.Effect<A, CacheError> =>
      withFiber((fiber) => {
        if (isInside(fiber)) return operation()
        if (skips === "everything") return Effect.fail(open)
        if (skips === "writes" && kind === "write") return Effect.fail(unwritable)
        return Effect.matchEffect(operation(), {
          onFailure: (error) => afterFailure(kind, key, error, Effect.fail),
          onSuccess: (value) => {
            streaks.succeeded(kind)
            return Effect.succeed(value)
          }
        })
      })

    /** A store that takes no writes takes most often no removals either, and both until somebody mends it. */
    const isQueueable = (error: CacheError): boolean => isOutage(error) || (skips === "writes" && isRefusal(error))

    /** Queues an invalidation that fails because of an outage, and succeeds with `instead`. */
    const queued = <A>(
      operation: Effect.Effect<A, CacheError>,
      enqueue: () => void,
      instead: A
    ): Effect.Effect<A, CacheError> =>
      settings.queueInvalidations
        ? Effect.catchIf(operation, isQueueable, (error) =>
            withFiber((fiber) => {
              if (isInside(fiber)) return Effect.fail(error)
              enqueue()
              probesWanted.unsafeOpen()
              return Effect.succeed(instead)
            })
          )
        : operation

    const read: Store["read"] = settings.queueInvalidations
      ? (fiber, keys, onFound, onFailure) =>
          queue.blocks(keys) ? onFailure(awaitingReplay) : guardedRead(fiber, keys, onFound, onFailure)
      : guardedRead

    const write: Store["write"] = settings.queueInvalidations
      ? (fiber, items, onWritten, onFailure) =>
          guardedWrite(
            fiber,
            items,
            (rejected) => {
              // What a transaction writes may be rolled back: then the queued invalidation must still be replayed.
              if (!isInside(fiber)) queue.written(items, rejected)
              return onWritten(rejected)
            },
            onFailure
          )
      : guardedWrite

    /** A computation from before a queued invalidation: its lease is still there, and its value must not be stored. */
    const overwriting = (
      key: string,
      operation: () => Effect.Effect<Option.Option<Token>, CacheError>
    ): Effect.Effect<Option.Option<Token>, CacheError> =>
      settings.queueInvalidations
        ? withFiber((fiber) =>
            queue.blocks([key]) && !isInside(fiber) ? Effect.fail(awaitingReplay) : guarded("write", key, operation)
          )
        : guarded("write", key, operation)

    return {
      ...identityOf(store),
      ...(settings.queueInvalidations ? { tellReplayed: lateNews.through } : {}),
      read,
      write,
      add: (key, entry) => guarded("write", key, () => store.add(key, entry)),
      replace: (key, token, entry) => overwriting(key, () => store.replace(key, token, entry)),
      ...amendThrough(store, (amended, key) => overwriting(key, () => amended)),
      remove: (keys) =>
        queued(
          guarded("remove", keys[0], () => store.remove(keys)),
          () => queue.add(keys),
          0
        ),
      clear: queued(
        guarded("remove", undefined, () => store.clear),
        () => queue.addClear(),
        undefined
      ),
      ...(store.size === undefined ? {} : { size: store.size })
    }
  })
