/**
 * The invalidations that an outage would swallow: kept in memory, and replayed before anything under those keys is read
 * again, so an outage can't bring back what was invalidated.
 */
import { Effect } from "effect"
import type { CacheError } from "../../CacheError.js"
import type { RejectedItem, WriteItem } from "../../CacheStore.js"
import type { Store } from "../stores/Store.js"

/** Beyond so many keys the whole namespace is cleared instead. */
const mostKeys = 10_000

export class InvalidationQueue {
  /** Counts the invalidations, so that one which is queued again during its replay is replayed again. */
  private moment = 0
  /** The moment at which each key was queued last. */
  private readonly keys = new Map<string, number>()
  /** The moment at which a clear was queued last. */
  private clearedAt: number | undefined

  constructor(private readonly store: Pick<Store, "remove" | "clear">) {}

  get isEmpty(): boolean {
    return this.clearedAt === undefined && this.keys.size === 0
  }

  /** How many keys are kept one by one. */
  get size(): number {
    return this.keys.size
  }

  /** Whether one of the keys must not be read yet. */
  blocks(keys: ReadonlyArray<string>): boolean {
    return this.clearedAt !== undefined || (this.keys.size > 0 && keys.some((key) => this.keys.has(key)))
  }

  add(keys: ReadonlyArray<string>): void {
    const moment = ++this.moment
    for (const key of keys) {
      this.keys.set(key, moment)
      if (this.keys.size > mostKeys) {
        this.addClear()
        return
      }
    }
  }

  /** Takes the place of all that is queued. */
  addClear(): void {
    this.clearedAt = ++this.moment
    this.keys.clear()
  }

  /** What was written after its invalidation is newer than it. */
  written(items: ReadonlyArray<WriteItem>, rejected: ReadonlyArray<RejectedItem>): void {
    if (this.keys.size > 0 && rejected.length === 0) for (const { key } of items) this.keys.delete(key)
  }

  /** One round trip; what is queued meanwhile stays queued. */
  readonly replay: Effect.Effect<void, CacheError> = Effect.suspend(() => {
    const until = this.moment
    const replayed =
      this.clearedAt === undefined ? Effect.asVoid(this.store.remove([...this.keys.keys()])) : this.store.clear
    return Effect.map(replayed, () => {
      if (this.clearedAt !== undefined && this.clearedAt <= until) this.clearedAt = undefined
      for (const [key, moment] of this.keys) if (moment <= until) this.keys.delete(key)
    })
  })
}
