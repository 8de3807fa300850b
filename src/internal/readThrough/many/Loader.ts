/**
 * The keys of one call, loaded together. A key is *undecided* until its request has acquired its lease, waits for another
 * computation, or has its answer. As soon as no key is undecided, all keys that have a lease are loaded in one load (`Load.ts`).
 * What others compute is waited for while it runs, and a key whose lease is acquired later is loaded later.
 */
import { Array as Arr, Deferred, Effect, Exit, FiberId } from "effect"
import { eventLoopTurn } from "../../runtime/eventLoop.js"
import type { Flights } from "../flights/Flights.js"
import type { MemoRequest } from "../request.js"
import { Load, type LoadMany } from "./Load.js"
import { Member } from "./Member.js"
import type { Waiter } from "./Waiter.js"

/** A request, and the effect that answers it. */
export interface Answering<A, E, R, B, E2> {
  readonly request: LoadedRequest<A, E, R>
  readonly answer: Effect.Effect<B, E2, R>
}

/** A request whose computation waits for a load. */
export interface LoadedRequest<A, E, R> extends MemoRequest<A, E, R> {
  companion: Member<A, E, R> | undefined
}

export class Loader<A, E, R> {
  /** Whether further requests may enter: not any more once a computation waits for them. */
  isOpen = true
  private undecided = 0
  private entered = 0
  private readonly waiting = new Set<Waiter<A, E, R>>()
  private wakeUp: Deferred.Deferred<void> | undefined

  /**
   * @param batchSize how many keys one load has at most
   * @param perTurn how many keys are worked on in one turn of the event loop
   */
  constructor(
    private readonly load: LoadMany<A, E, R>,
    private readonly flights: Flights,
    private readonly batchSize: number,
    private readonly perTurn: number
  ) {}

  /**
   * Runs the answers at once, to the end of all of them: one that fails must not take from others what they load for them. Fails
   * with the first failure.
   */
  answerAll<B, E2>(all: ReadonlyArray<Answering<A, E, R, B, E2>>): Effect.Effect<void, E2, R> {
    return Effect.uninterruptibleMask((restore) => {
      // All of them before any of them runs: otherwise the first would be loaded alone.
      const members = all.map(({ request }) => this.enter(request))
      let failure: Effect.Effect<never, E2> | undefined
      const running = this.inTurns(all, ({ answer }, index) =>
        Effect.map(Effect.exit(answer), (exit) => {
          if (Exit.isFailure(exit)) failure ??= Effect.failCause(exit.cause)
          members[index]?.leaves()
        })
      )
      return Effect.ensuring(
        Effect.flatMap(restore(running), () => failure ?? Effect.void),
        // One that was interrupted before it ran has not left.
        Effect.sync(() => {
          for (const member of members) member.leaves()
        })
      )
    })
  }

  /** Runs the answer of a request that joins those who have entered before. */
  answer<B, E2>(request: LoadedRequest<A, E, R>, answer: Effect.Effect<B, E2, R>): Effect.Effect<B, E2, R> {
    return Effect.uninterruptibleMask((restore) => {
      const member = this.enter(request)
      return Effect.ensuring(
        restore(answer),
        Effect.sync(() => member.leaves())
      )
    })
  }

  /** Runs all at once, but begins no more in one turn of the event loop than `perTurn`. */
  private inTurns<Item>(
    all: ReadonlyArray<Item>,
    run: (item: Item, index: number) => Effect.Effect<void, never, R>
  ): Effect.Effect<void, never, R> {
    if (all.length <= this.perTurn) return Effect.forEach(all, run, { concurrency: "unbounded", discard: true })
    return Effect.forEach(
      Arr.chunksOf(all, this.perTurn),
      (some, turns) =>
        Effect.zipRight(
          turns === 0 ? Effect.void : Effect.repeatN(eventLoopTurn, turns - 1),
          Effect.forEach(some, (item, index) => run(item, turns * this.perTurn + index), {
            concurrency: "unbounded",
            discard: true
          })
        ),
      { concurrency: "unbounded", discard: true }
    )
  }

  private enter(request: LoadedRequest<A, E, R>): Member<A, E, R> {
    const member = new Member(this, request, this.entered++)
    request.companion = member
    member.enters()
    return member
  }

  /** One more key is undecided. */
  hesitates(): void {
    this.undecided++
  }

  /** One key less is undecided. */
  decides(): void {
    this.undecided--
    this.begin()
  }

  waits(waiter: Waiter<A, E, R>): void {
    this.isOpen = false
    this.waiting.add(waiter)
  }

  /** A computation waits no more: it has its value, or was interrupted. The last one of a load ends that load. */
  leaves(waiter: Waiter<A, E, R>): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.waiting.delete(waiter) ? Effect.void : (waiter.load?.leaves(waiter) ?? Effect.void)
    )
  }

  /** Sleeps, and wakes up with those who sleep already: they read in one round trip again, and load together. */
  sleep(millis: number): Effect.Effect<void> {
    return Effect.uninterruptibleMask((restore) => {
      if (this.wakeUp !== undefined) return restore(Deferred.await(this.wakeUp))
      const wakeUp = Deferred.unsafeMake<void>(FiberId.none)
      this.wakeUp = wakeUp
      return Effect.ensuring(
        restore(Effect.sleep(millis)),
        Effect.sync(() => {
          this.wakeUp = undefined
          Deferred.unsafeDone(wakeUp, Effect.void)
        })
      )
    })
  }

  /** Begins to load what waits, unless a key is undecided. */
  begin(): void {
    if (this.undecided > 0 || this.waiting.size === 0) return
    const waiters = [...this.waiting].sort((one, other) => one.place - other.place)
    this.waiting.clear()
    for (let from = 0; from < waiters.length; from += this.batchSize) {
      const load = new Load(waiters.slice(from, from + this.batchSize), this.flights, this.perTurn)
      load.start(this.load, (deserted) => {
        for (const waiter of deserted) this.waiting.add(waiter)
        this.begin()
      })
    }
  }
}
