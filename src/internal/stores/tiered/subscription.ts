/** Listens to the bus for as long as the layer lives, and says whether the tier may trust it. */
import { Effect, Exit, Scope } from "effect"
import type { CacheBusService } from "../../../CacheBus.js"
import { backgroundSleep } from "../../runtime/eventLoop.js"

export interface Listener {
  readonly heard: (keys: ReadonlyArray<string> | "all") => void
  /** Messages may have been lost. */
  readonly missed: () => void
}

export interface Subscription {
  /** Whether messages arrive. */
  readonly isTrusted: (monotonic: number) => boolean
}

const againAfter = "500 millis"

/** @param maxSilence in milliseconds */
export const subscribe = (
  bus: CacheBusService,
  maxSilence: number,
  monotonic: () => number,
  listener: Listener
): Effect.Effect<Subscription, never, Scope.Scope> =>
  Effect.gen(function* () {
    let isConfirmed = false
    let lastHeard = Number.NEGATIVE_INFINITY

    const distrust = () => {
      isConfirmed = false
      listener.missed()
    }

    /** Until it is lost. */
    const once = Effect.acquireUseRelease(
      Scope.make(),
      (scope) =>
        Effect.gen(function* () {
          const lost = yield* Effect.makeLatch(false)
          const subscription = bus.subscribe(
            (keys) => {
              const now = monotonic()
              // After a silence nobody knows what was missed.
              if (isConfirmed && now - lastHeard > maxSilence) listener.missed()
              lastHeard = now
              // Until it is confirmed there is nothing that a message could be about.
              if (isConfirmed && keys.length > 0) listener.heard(keys)
            },
            () => lost.unsafeOpen()
          )
          yield* Scope.extend(subscription, scope)
          // What was asked below before this moment was asked in time for no message.
          listener.missed()
          lastHeard = monotonic()
          isConfirmed = true
          yield* lost.await
        }),
      // The end of the layer waits for it. After a loss the next subscription does not.
      (scope, exit) => {
        const closing = Scope.close(scope, Exit.void)
        return Effect.zipRight(
          Effect.sync(distrust),
          Exit.isInterrupted(exit) ? closing : Effect.asVoid(Effect.forkDaemon(closing))
        )
      }
    )
    yield* Effect.forkScoped(
      Effect.interruptible(Effect.forever(Effect.zipRight(Effect.ignore(once), backgroundSleep(againAfter))))
    )
    return { isTrusted: (now) => isConfirmed && now - lastHeard <= maxSilence }
  })
