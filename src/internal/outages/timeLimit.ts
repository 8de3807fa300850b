/**
 * A time limit in front of a store of a third party on a network. The store's effect runs in a fiber of its own, so a caller leaves
 * when the time is over or when it is interrupted, even if the effect can't be interrupted. This library's own stores have time
 * limits of their own.
 */
import { Effect, Exit } from "effect"
import { CacheError } from "../../CacheError.js"
import { withFiber } from "../runtime/fiber.js"
import { Watchdog } from "../runtime/Watchdog.js"
import { afterFailure, type RunStore } from "../stores/fromPlain.js"

/** A class: V8 may put literals into old space. */
class Waiting {
  constructor(
    readonly deadline: number,
    readonly timedOut: () => void
  ) {}
}

/** How the operation ended, as a success: Effect logs a fiber that fails and that nobody joins. */
const ended = <A>(make: () => Effect.Effect<A, CacheError>): Effect.Effect<Exit.Exit<A, CacheError>> =>
  Effect.interruptible(Effect.exit(Effect.suspend(make)))

const resultOf = <A>(operation: string, fiber: Exit.Exit<Exit.Exit<A, CacheError>>): Effect.Effect<A, CacheError> => {
  const exit = Exit.flatten(fiber)
  return Exit.isSuccess(exit) ? exit : afterFailure(operation, exit.cause)
}

/** Runs the operations of one store. All have the same limit, so they are overdue in the order in which they began. */
export const withinTime = (millis: number): RunStore => {
  const waiting = new Set<Waiting>()
  const first = (): Waiting | undefined => waiting.values().next().value
  const watchdog = new Watchdog(
    () => first()?.deadline ?? Number.POSITIVE_INFINITY,
    () => 0,
    (now) => {
      for (const one of waiting) if (one.deadline <= now) one.timedOut()
    }
  )
  const overdue = (operation: string) =>
    new CacheError({ reason: "Timeout", operation, description: `the store did not answer within ${millis} ms` })

  return (operation, make) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(Effect.forkDaemon(ended(make)), (running) =>
        withFiber((caller) => {
          let one: Waiting | undefined
          const leave = (): void => {
            if (one !== undefined) waiting.delete(one)
            running.unsafeInterruptAsFork(caller.id())
          }
          return Effect.onInterrupt(
            restore(
              Effect.async((resume) => {
                const begun = new Waiting(watchdog.now() + millis, () => {
                  leave()
                  resume(Effect.fail(overdue(operation)))
                })
                one = begun
                waiting.add(begun)
                watchdog.watch()
                running.addObserver((exit) => {
                  // The fiber of a caller who has left ends as well, and nobody waits for it.
                  if (waiting.delete(begun)) resume(resultOf(operation, exit))
                })
              })
            ),
            () => Effect.sync(leave)
          )
        })
      )
    )
}
