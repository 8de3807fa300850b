/** One request of a `Loader`: whether it is known yet what it does. */
import { Effect } from "effect"
import { withFiber } from "../../runtime/fiber.js"
import { surroundings } from "../../runtime/inherited.js"
import { currentFlight } from "../flights/Flight.js"
import type { Companion, MemoRequest } from "../request.js"
import { Waiter } from "./Waiter.js"

/** What a member asks of its `Loader`. */
export interface Circle<A, E, R> {
  hesitates(): void
  decides(): void
  begin(): void
  waits(waiter: Waiter<A, E, R>): void
  leaves(waiter: Waiter<A, E, R>): Effect.Effect<void>
  sleep(millis: number): Effect.Effect<void>
}

export class Member<A, E, R> implements Companion {
  private isUndecided = false
  private hasFlight = false

  constructor(
    private readonly circle: Circle<A, E, R>,
    private readonly request: MemoRequest<A, E, R>,
    /** Its place among the requests of the loader: keys are loaded in the order in which they were asked. */
    private readonly place: number
  ) {}

  enters(): void {
    if (this.isUndecided) return
    this.isUndecided = true
    this.circle.hesitates()
  }

  private decides(): void {
    if (!this.isUndecided) return
    this.isUndecided = false
    this.circle.decides()
  }

  /** The call has its answer. Its flight may go on in the background, and be undecided still. */
  leaves(): void {
    if (!this.hasFlight) this.decides()
  }

  flightStarts(): void {
    this.hasFlight = true
  }

  flightEnds(): void {
    this.hasFlight = false
    this.decides()
  }

  joins(): void {
    this.decides()
  }

  again(delay: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.decides()
      return Effect.map(delay === 0 ? Effect.void : this.circle.sleep(delay), () => this.enters())
    })
  }

  /** The computation of the key: waits until it is loaded. */
  get compute(): Effect.Effect<A, E, R> {
    const { circle, place, request } = this
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(surroundings<R>(), (context) =>
        withFiber((fiber) => {
          const waiter = new Waiter(request, place, fiber, context, currentFlight.of(fiber))
          circle.waits(waiter)
          this.decides()
          // It may have been decided before: a call that has joined another computation in vain computes at last.
          circle.begin()
          return Effect.onExit(restore(waiter.answer), () => circle.leaves(waiter))
        })
      )
    )
  }
}
