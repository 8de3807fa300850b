/** The computation of one key, which waits until its value is loaded. */
import { Deferred, type Effect, FiberId } from "effect"
import type { CallingFiber } from "../../runtime/fiber.js"
import type { Surroundings } from "../../runtime/inherited.js"
import type { Flight } from "../flights/Flight.js"
import type { MemoRequest } from "../request.js"

export class Waiter<A, E, R> {
  private readonly result = Deferred.unsafeMake<A, E>(FiberId.none)
  /** The load that will answer it. */
  load: { leaves(waiter: Waiter<A, E, R>): Effect.Effect<void> } | undefined

  constructor(
    readonly request: MemoRequest<A, E, R>,
    readonly place: number,
    readonly fiber: CallingFiber,
    readonly surroundings: Surroundings<R>,
    /** The flight whose computation this is. */
    readonly flight: Flight | undefined
  ) {}

  get isDeserted(): boolean {
    return this.flight?.isDeserted === true
  }

  get answer(): Effect.Effect<A, E> {
    return Deferred.await(this.result)
  }

  done(answer: Effect.Effect<A, E>): void {
    Deferred.unsafeDone(this.result, answer)
  }
}
