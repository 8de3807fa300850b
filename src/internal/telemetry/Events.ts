/**
 * Tells those who listen what a cache does. While nobody listens no event is made: who would tell one checks `isListened` first.
 */
import { Effect, Mailbox, Stream } from "effect"
import type { CacheEvent } from "../../CacheEvent.js"

/** How many events wait for a slow listener. Then the oldest are dropped: a listener must not slow the cache down. */
export const mostWaiting = 1_000

export class Events {
  isListened = false
  private isClosed = false
  private readonly listeners = new Set<Mailbox.Mailbox<CacheEvent>>()

  tell(event: CacheEvent): void {
    for (const listener of this.listeners) listener.unsafeOffer(event)
  }

  readonly stream: Stream.Stream<CacheEvent> = Stream.unwrapScoped(
    Effect.map(
      Effect.acquireRelease(
        Effect.tap(Mailbox.make<CacheEvent>({ capacity: mostWaiting, strategy: "sliding" }), (mailbox) => {
          if (this.isClosed) return mailbox.end
          this.listeners.add(mailbox)
          this.isListened = true
          return Effect.void
        }),
        (mailbox) => {
          this.listeners.delete(mailbox)
          this.isListened = this.listeners.size > 0
          return mailbox.shutdown
        }
      ),
      (mailbox) => Mailbox.toStream(mailbox)
    )
  )

  /** The streams end; for the end of the layer. */
  get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.isClosed = true
      return Effect.forEach([...this.listeners], (mailbox) => mailbox.end, { discard: true })
    })
  }
}
