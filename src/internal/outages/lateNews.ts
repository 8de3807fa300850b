/**
 * Tells of queued invalidations once the store has them. Other processes dropped their copies when the invalidation was queued, but
 * may have read the old entry again since, and would keep it for as long as a copy counts.
 */
import { Effect, type Scope } from "effect"
import type { CacheError } from "../../CacheError.js"
import { backgroundSleep } from "../runtime/eventLoop.js"

/** The keys, or `"all"` after a clear. */
export type Changed = ReadonlyArray<string> | "all"

export type Tell = (changed: Changed) => Effect.Effect<void, CacheError>

/** Of more keys than this it says that any may have changed. */
const mostKeys = 10_000

export class LateNews {
  private readonly tellers = new Set<Tell>()
  private all = false
  private readonly keys = new Set<string>()
  /** Open while there is something to tell. */
  private readonly hasNews = Effect.unsafeMakeLatch()

  /** Tells by this function, too, for as long as the scope lives. */
  readonly through = (tell: Tell): Effect.Effect<void, never, Scope.Scope> =>
    Effect.asVoid(
      Effect.acquireRelease(
        Effect.sync(() => this.tellers.add(tell)),
        () => Effect.sync(() => this.tellers.delete(tell))
      )
    )

  add(changed: Changed): void {
    // Without a tier in this process nobody was told in the first place.
    if (this.tellers.size === 0 || changed.length === 0) return
    if (changed === "all") this.all = true
    else for (const key of changed) this.keys.add(key)
    if (this.keys.size > mostKeys) this.all = true
    if (this.all) this.keys.clear()
    this.hasNews.unsafeOpen()
  }

  private take(): Changed {
    const taken = this.all ? "all" : [...this.keys]
    this.all = false
    this.keys.clear()
    this.hasNews.unsafeClose()
    return taken
  }

  /** For a fiber of the layer. Nobody hears that something could not be told, so it is told again until it is taken. */
  run(retryAfter: number): Effect.Effect<never> {
    const once = Effect.suspend(() => {
      const news = this.take()
      return Effect.catchAllCause(
        Effect.forEach([...this.tellers], (tell) => tell(news), { discard: true }),
        () => {
          this.add(news)
          return backgroundSleep(retryAfter)
        }
      )
    })
    return Effect.forever(Effect.zipRight(this.hasNews.await, once))
  }
}
