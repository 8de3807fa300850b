/**
 * A circuit breaker in front of a store that can fail (Nygard, "Release It!", 2007): after a few failures in a row calls
 * skip the store at once, and one probe at a time finds out when it is back. No caller ever waits for a probe.
 *
 * It also keeps the invalidations that an outage would swallow, where asked to: what is pending is replayed before
 * anything under those keys is read again, so that an outage can't bring back what was invalidated.
 */
import { Effect, type Scope } from "effect"
import { CacheError } from "../../CacheError.js"
import type {
  Asker,
  CacheStore,
  Found,
  Reading,
  RejectedItem,
  StoredEntry,
  WriteItem,
  Writing
} from "../../CacheStore.js"
import { backgroundSleep } from "../runtime/eventLoop.js"
import { inTransaction, isInTransaction } from "../runtime/transaction.js"
import { breakerGauge } from "./breakerGauge.js"
import { CircuitOpen, ignoredByBreaker, isOutage } from "./outage.js"

export interface BreakerSettings {
  /** So many failures in a row open the breaker. */
  readonly failures: number
  /** Milliseconds between probes. */
  readonly retryAfter: number
  /** Keep invalidations that fail for an outage, and replay them. */
  readonly queueInvalidations: boolean
}

/** Beyond this the whole namespace is cleared instead. */
const mostPending = 10_000

/** Tells the breaker how it went, on the way to who asked. A class for the reason that `Waiter` in gather.ts is one. */
class Watched<Answer> implements Asker<Answer> {
  constructor(
    private readonly asker: Asker<Answer>,
    private readonly wentWell: (answer: Answer) => void,
    private readonly watched: (instead: Effect.Effect<Answer, CacheError>) => Effect.Effect<Answer, CacheError>
  ) {}

  answered(answer: Answer): void {
    this.wentWell(answer)
    this.asker.answered(answer)
  }

  failed(instead: Effect.Effect<Answer, CacheError>): void {
    this.asker.failed(this.watched(instead))
  }
}

export const guard = (store: CacheStore, settings: BreakerSettings): Effect.Effect<CacheStore, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const openBreakers = breakerGauge({ store: store.name })
    const skipped = (description: string) =>
      new CacheError({
        reason: "Unavailable",
        operation: "breaker",
        description,
        cause: new CircuitOpen({ store: store.name })
      })
    // Made once: an error takes its stack each time it is made, which costs more than the call that it skips.
    const open = Effect.fail(skipped(`the ${store.name} store keeps failing and is not asked until a probe succeeds`))
    const awaitingReplay = Effect.fail(
      skipped("the key was invalidated during an outage, and that could not be replayed yet")
    )

    let failuresInARow = 0
    let tripped = false
    let isClosed = false
    let probing = false
    let lastFailed = "v0:effect-cached:probe"
    // By the moment they were queued, so that one which is queued again during its replay is replayed again.
    let moment = 0
    const pending = new Map<string, number>()
    let pendingClear: number | undefined

    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        isClosed = true
        if (tripped) openBreakers.unsafeModify(-1, [])
      })
    )

    const hasPending = () => pendingClear !== undefined || pending.size > 0
    const isPending = (keys: ReadonlyArray<string>) =>
      pendingClear !== undefined || (pending.size > 0 && keys.some((key) => pending.has(key)))

    const replay = Effect.suspend(() => {
      const until = moment
      const replayed = pendingClear === undefined ? Effect.asVoid(store.remove([...pending.keys()])) : store.clear
      return Effect.map(replayed, () => {
        if (pendingClear !== undefined && pendingClear <= until) pendingClear = undefined
        for (const [key, queued] of pending) if (queued <= until) pending.delete(key)
      })
    })

    /** Whether the store is back; `false` where what is still away of it needs no breaker. */
    const probe: Effect.Effect<boolean, CacheError> = Effect.suspend(() =>
      Effect.as(hasPending() ? replay : store.read([lastFailed]), true)
    ).pipe(Effect.catchIf(ignoredByBreaker, () => Effect.succeed(false)))

    const probeUntilWell: Effect.Effect<void> = Effect.suspend(() =>
      Effect.flatMap(Effect.exit(Effect.zipRight(backgroundSleep(settings.retryAfter), probe)), (exit) => {
        if (exit._tag === "Failure") return probeUntilWell
        const wasTripped = tripped
        tripped = false
        failuresInARow = 0
        if (wasTripped) openBreakers.unsafeModify(-1, [])
        // Its keys are not read before it is replayed; the others may be.
        if (hasPending()) return probeUntilWell
        probing = false
        return wasTripped && exit.value ? Effect.logInfo(`Cache store ${store.name} is back`) : Effect.void
      })
    )

    const startProbing = Effect.suspend(() => {
      if (probing) return Effect.void
      probing = true
      return Effect.asVoid(Effect.forkIn(Effect.interruptible(probeUntilWell), scope))
    })

    const failed = (key: string | undefined, error: CacheError): Effect.Effect<never, CacheError> => {
      // what the store's own closing makes fail says nothing about it
      if (!isOutage(error) || ignoredByBreaker(error) || tripped || isClosed) return Effect.fail(error)
      if (key !== undefined) lastFailed = key
      if (++failuresInARow < settings.failures) return Effect.fail(error)
      tripped = true
      openBreakers.unsafeModify(1, [])
      return Effect.uninterruptible(
        Effect.zipRight(
          startProbing,
          Effect.logWarning(
            `Cache store ${store.name} failed ${failuresInARow} times in a row: calls go on without it`,
            error
          )
        )
      ).pipe(Effect.zipRight(Effect.fail(error)))
    }

    const wentWell = () => {
      failuresInARow = 0
    }

    const watched = <A>(
      key: string | undefined,
      operation: Effect.Effect<A, CacheError>,
      settle: (value: A) => void = wentWell
    ) =>
      Effect.matchEffect(operation, {
        onFailure: (error) => failed(key, error),
        onSuccess: (value) => {
          settle(value)
          return Effect.succeed(value)
        }
      })

    const guarded = <A>(
      keys: ReadonlyArray<string>,
      operation: () => Effect.Effect<A, CacheError>,
      mustWait: (keys: ReadonlyArray<string>) => boolean = () => false
    ): Effect.Effect<A, CacheError> =>
      Effect.withFiberRuntime<A, CacheError>((fiber) => {
        if (mustWait(keys)) return awaitingReplay
        // A transaction has its own connection, whose failure is the user's to hear of.
        if (isInTransaction(fiber)) return operation()
        if (tripped) return open
        return watched(keys[0], operation())
      })

    const { unsafeAsk, unsafeWrite } = store
    const ask =
      unsafeAsk === undefined
        ? undefined
        : (keys: ReadonlyArray<string>, asker: Asker<Found<StoredEntry>>) => {
            if (isPending(keys)) return awaitingReplay
            if (tripped) return open
            const reading = (instead: Reading<StoredEntry>) => watched(keys[0], instead)
            const instead = unsafeAsk.call(store, keys, new Watched(asker, wentWell, reading))
            return instead === undefined ? undefined : reading(instead)
          }

    /** What was written after an invalidation is newer than it. */
    const settlePending = (items: ReadonlyArray<WriteItem>, rejected: ReadonlyArray<RejectedItem>): void => {
      if (pending.size > 0 && rejected.length === 0) for (const { key } of items) pending.delete(key)
    }
    const written = (items: ReadonlyArray<WriteItem>) => (rejected: ReadonlyArray<RejectedItem>) => {
      wentWell()
      settlePending(items, rejected)
    }
    const write =
      unsafeWrite === undefined
        ? undefined
        : (items: ReadonlyArray<WriteItem>, now: number, asker: Asker<ReadonlyArray<RejectedItem>>) => {
            if (tripped) return open
            const settle = written(items)
            const writing = (instead: Writing) => watched(items[0]?.key, instead, settle)
            const instead = unsafeWrite.call(store, items, now, new Watched(asker, settle, writing))
            return instead === undefined ? undefined : writing(instead)
          }

    /** `otherwise` where the invalidation is kept for later. */
    const kept = <A>(
      operation: Effect.Effect<A, CacheError>,
      keep: () => void,
      otherwise: A
    ): Effect.Effect<A, CacheError> =>
      settings.queueInvalidations
        ? Effect.catchIf(operation, isOutage, (error) =>
            Effect.flatMap(inTransaction, (inside) => {
              if (inside) return Effect.fail(error)
              keep()
              return Effect.as(Effect.uninterruptible(startProbing), otherwise)
            })
          )
        : operation

    return {
      ...store,
      read: (keys) => guarded(keys, () => store.read(keys), isPending),
      ...(ask === undefined ? {} : { unsafeAsk: ask }),
      write: (items) =>
        Effect.withFiberRuntime((fiber) => {
          if (isInTransaction(fiber))
            return Effect.tap(store.write(items), (rejected) => Effect.sync(() => settlePending(items, rejected)))
          if (tripped) return open
          return watched(items[0]?.key, store.write(items), written(items))
        }),
      ...(write === undefined ? {} : { unsafeWrite: write }),
      add: (key, entry) => guarded([key], () => store.add(key, entry)),
      replace: (key, token, entry) => guarded([key], () => store.replace(key, token, entry)),
      remove: (keys) =>
        kept(
          guarded(keys, () => store.remove(keys)),
          () => {
            moment++
            for (const key of keys) pending.set(key, moment)
            if (pending.size > mostPending) pendingClear = moment
          },
          0
        ),
      clear: kept(
        guarded([], () => store.clear),
        () => {
          pendingClear = ++moment
        },
        undefined
      )
    }
  })
