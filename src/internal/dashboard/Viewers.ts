/**
 * Who looks at a cache. While somebody does, one fiber takes a sample a second for all of them; it ends with the last one, so that
 * a view that nobody has open costs nothing.
 */
import { Effect, Exit, Fiber, Mailbox, Option, Schedule, Stream } from "effect"
import type { CacheBackendService } from "../../CacheBackend.js"
import { engine } from "../memoized/engine.js"
import { now } from "../runtime/fiber.js"
import type { Connection } from "./connection.js"
import { askFacts, noFacts } from "./facts.js"
import { takeSample } from "./sample.js"

export const mostViewers = 50

const sampleEvery = "1 second"
/** To count the entries and to look at all metrics costs more than the rest. */
const factsEvery = "2 seconds"

/** Samples that a viewer may leave unread, before it counts as gone; fewer while its server waits for it in order to close. */
const mostUnread = 30
const mostUnreadAtClose = 2

const encoder = new TextEncoder()

/** A browser that has lost its connection asks again after so many milliseconds. */
const message = (data: unknown): Uint8Array => encoder.encode(`retry: 2000\ndata: ${JSON.stringify(data)}\n\n`)

interface Viewer {
  readonly connection: Connection
  readonly mailbox: Mailbox.Mailbox<Uint8Array>
  /** Samples that it has not read, one after the other. */
  unread: number
}

export class Viewers {
  private readonly open = new Set<Viewer>()
  private sampling: Fiber.RuntimeFiber<void> | undefined

  constructor(private readonly cache: CacheBackendService) {}

  get isFull(): boolean {
    return this.open.size >= mostViewers
  }

  /**
   * The messages for one viewer, who looks as long as the stream runs. One that is slow misses samples, and slows nobody down.
   * One that reads nothing for long is let go, or it would keep a place that another could have.
   */
  messages(connection: Connection): Stream.Stream<Uint8Array> {
    return Stream.unwrapScoped(
      Effect.map(
        Effect.acquireRelease(this.join(connection), (viewer) => this.leave(viewer)),
        ({ mailbox }) => Mailbox.toStream(mailbox)
      )
    )
  }

  private join(connection: Connection): Effect.Effect<Viewer> {
    return Effect.flatMap(Mailbox.make<Uint8Array>({ capacity: 1, strategy: "sliding" }), (mailbox) => {
      const viewer: Viewer = { connection, mailbox, unread: 0 }
      this.open.add(viewer)
      if (this.sampling !== undefined) return Effect.succeed(viewer)
      return Effect.map(Effect.forkDaemon(Effect.interruptible(this.sample())), (fiber) => {
        this.sampling = fiber
        return viewer
      })
    })
  }

  private leave(viewer: Viewer): Effect.Effect<unknown> {
    return Effect.suspend(() => {
      this.open.delete(viewer)
      return Effect.zipRight(viewer.mailbox.shutdown, this.restIfAlone())
    })
  }

  /** Ends the sampler when nobody looks any more. */
  private restIfAlone(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { sampling } = this
      if (this.open.size > 0 || sampling === undefined) return Effect.void
      this.sampling = undefined
      return Fiber.interruptFork(sampling)
    })
  }

  private tell(viewer: Viewer, sample: Uint8Array): void {
    const { connection, mailbox } = viewer
    const isClosing = connection.isClosing()
    viewer.unread = Option.getOrElse(mailbox.unsafeSize(), () => 0) > 0 ? viewer.unread + 1 : 0
    if (viewer.unread >= (isClosing ? mostUnreadAtClose : mostUnread)) {
      this.open.delete(viewer)
      mailbox.unsafeDone(Exit.void)
      connection.cut()
    } else if (isClosing) mailbox.unsafeDone(Exit.void)
    else mailbox.unsafeOffer(sample)
  }

  /** Until it is interrupted, or the layer of the cache ends. A store that does not answer holds back its own figures only. */
  private sample(): Effect.Effect<void> {
    return Effect.suspend(() => {
      let facts = noFacts
      const asking = Effect.tap(askFacts(this.cache), (asked) => {
        facts = asked
      })
      const telling = Effect.flatMap(now, (time) => {
        const next = message(takeSample(this.cache, facts, time))
        for (const viewer of this.open) this.tell(viewer, next)
        return this.restIfAlone()
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
      return Effect.forEach([...this.open], ({ mailbox }) => mailbox.end, { discard: true })
    })
  }
}
