/** What a layer has under way on behalf of nobody in particular, and how that ends. */
import { type Clock, Effect, Fiber, type Scope } from "effect"

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/** What a server that is well needs no longer for. */
const grace = "500 millis"
/** The driver of PostgreSQL gives up cancelling a statement after 5 seconds. */
const patience = "6 seconds"

const awaited = (fibers: ReadonlyArray<AnyFiber>, most: typeof grace | typeof patience) =>
  Fiber.awaitAll(fibers).pipe(Effect.interruptible, Effect.timeoutOption(most))

/**
 * Lets the fibers end by themselves, and interrupts them where they don't. A statement of PostgreSQL that is interrupted
 * keeps its connection until the driver has cancelled it through another one; in a pool of one, for 5 seconds. A fiber
 * that waits for a connection can't be interrupted at all, so nobody waits for these for ever.
 */
export const endGently = (fibers: ReadonlyArray<AnyFiber>): Effect.Effect<void> =>
  Effect.flatMap(awaited(fibers, grace), (ended) =>
    ended._tag === "Some"
      ? Effect.void
      : Effect.zipRight(
          Effect.forEach(fibers, (fiber) => Fiber.interruptFork(fiber), { discard: true }),
          Effect.asVoid(awaited(fibers, patience))
        )
  )

export class Running {
  private readonly fibers = new Set<AnyFiber>()
  private closed = false

  constructor(private readonly clock: Clock.Clock) {}

  /** Whether the layer is closing: what begins now would have nothing to run on. */
  get isClosed(): boolean {
    return this.closed
  }

  add(fiber: AnyFiber): void {
    this.fibers.add(fiber)
    fiber.addObserver(() => this.fibers.delete(fiber))
  }

  get end(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.closed = true
      return this.fibers.size === 0 ? Effect.void : Effect.withClock(endGently([...this.fibers]), this.clock)
    })
  }
}

/** To be made before all that runs in it, as scopes close backwards. */
export const make = (clock: Clock.Clock): Effect.Effect<Running, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => new Running(clock)),
    (running) => running.end
  )
