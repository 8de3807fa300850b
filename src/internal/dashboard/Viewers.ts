/**
 * Who looks at a cache. While somebody does, one fiber takes a sample a second for all of them; it ends with the last one, so that
 * a view that nobody has open costs nothing.
 */
import { Effect, Exit, Fiber, Mailbox, Schedule, Stream } from "effect"
import type { CacheBackendService } from "../../CacheBackend.js"
import { engine } from "../memoized/engine.js"
import { now } from "../runtime/fiber.js"
import { askFacts, noFacts } from "./facts.js"
import { takeSample } from "./sample.js"

export const mostViewers = 50

const sampleEvery = "1 second"
/** To count the entries and to look at all metrics costs more than the rest. */
const factsEvery = "2 seconds"

const encoder = new TextEncoder()

/** A browser that has lost its connection asks again after so many milliseconds. */
const message = (data: unknown): Uint8Array => encoder.encode(`retry: 2000\ndata: ${JSON.stringify(data)}\n\n`)

export class Viewers {
  /** With what tells whether the server that serves it closes. */
  private readonly open = new Map<Mailbox.Mailbox<Uint8Array>, () => boolean>()
  private sampling: Fiber.RuntimeFiber<void> | undefined

  constructor(private readonly cache: CacheBackendService) {}

  get isFull(): boolean {
    return this.open.size >= mostViewers
  }

  /**
   * The messages for one viewer, who looks as long as the stream runs. One that is slow misses samples, and slows nobody down.
   *
   * @param isClosing whether the viewer's server closes: it waits for its requests, so the stream must end
   */
  messages(isClosing: () => boolean): Stream.Stream<Uint8Array> {
    return Stream.unwrapScoped(
      Effect.map(
        Effect.acquireRelease(this.join(isClosing), (mailbox) => this.leave(mailbox)),
        (mailbox) => Mailbox.toStream(mailbox)
      )
    )
  }

  private join(isClosing: () => boolean): Effect.Effect<Mailbox.Mailbox<Uint8Array>> {
    return Effect.tap(Mailbox.make<Uint8Array>({ capacity: 1, strategy: "sliding" }), (mailbox) => {
      this.open.set(mailbox, isClosing)
      if (this.sampling !== undefined) return Effect.void
      return Effect.map(Effect.forkDaemon(Effect.interruptible(this.sample())), (fiber) => {
        this.sampling = fiber
      })
    })
  }

  private leave(mailbox: Mailbox.Mailbox<Uint8Array>): Effect.Effect<unknown> {
    return Effect.suspend(() => {
      this.open.delete(mailbox)
      const { sampling } = this
      if (this.open.size > 0 || sampling === undefined) return mailbox.shutdown
      this.sampling = undefined
      return Effect.zipRight(mailbox.shutdown, Fiber.interruptFork(sampling))
    })
  }

  /** Until it is interrupted, or the layer of the cache ends. A store that does not answer holds back its own figures only. */
  private sample(): Effect.Effect<void> {
    return Effect.suspend(() => {
      let facts = noFacts
      const asking = Effect.tap(askFacts(this.cache), (asked) => {
        facts = asked
      })
      const telling = Effect.map(now, (time) => {
        const next = message(takeSample(this.cache, facts, time))
        for (const [mailbox, isClosing] of this.open) {
          if (isClosing()) mailbox.unsafeDone(Exit.void)
          else mailbox.unsafeOffer(next)
        }
      })
      return Effect.raceFirst(
        Effect.forever(Effect.zipRight(asking, Effect.sleep(factsEvery))),
        Effect.repeat(Effect.zipRight(Effect.yieldNow(), telling), {
          schedule: Schedule.spaced(sampleEvery),
          until: () => this.cache[engine].flights.closed
        })
      )
    }).pipe(
      // Interrupted it is by the last viewer only, and the next one may have come already.
      Effect.onExit((exit) => (Exit.isInterrupted(exit) ? Effect.void : this.endAll()))
    )
  }

  private endAll(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.sampling = undefined
      return Effect.forEach([...this.open.keys()], (mailbox) => mailbox.end, { discard: true })
    })
  }
}
