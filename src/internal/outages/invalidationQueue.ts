/**
 * Keeps the invalidations that failed because of an outage in memory, and replays them before their keys are read again. So no
 * outage brings back an invalidated value.
 */
import { Effect } from "effect"
import type { CacheError } from "../../CacheError.js"
import type { RejectedItem } from "../../CacheStore.js"
import type { Store } from "../stores/Store.js"

/** With more keys than this, the whole namespace is cleared instead. */
const mostKeys = 10_000

export class InvalidationQueue {
  /** Counts the invalidations, so that a key which is queued again during its replay is replayed again. */
  private moment = 0
  /** The value of `moment` when each key was queued last. */
  private readonly keys = new Map<string, number>()
  /** The value of `moment` when a clear was queued last. */
  private clearedAt: number | undefined

  /** @param replayed called with what the store has now: keys, or `"all"` after a clear */
  constructor(
    private readonly store: Pick<Store, "remove" | "clear">,
    private readonly replayed: (changed: ReadonlyArray<string> | "all") => void = () => {}
  ) {}

  get isEmpty(): boolean {
    return this.clearedAt === undefined && this.keys.size === 0
  }

  /** How many keys are queued one by one. */
  get size(): number {
    return this.keys.size
  }

  /** Whether one of the keys must not be read before the queue is replayed. */
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

  /** Queues a clear, which replaces all queued keys. */
  addClear(): void {
    this.clearedAt = ++this.moment
    this.keys.clear()
  }

  /** Forgets keys that were written after their invalidation: the written entries are newer. */
  written(keys: ReadonlyArray<string>, rejected: ReadonlyArray<RejectedItem>): void {
    if (this.keys.size === 0 || rejected.length > 0) return
    this.replayed(keys.filter((key) => this.keys.delete(key)))
  }

  /** Replays the queue in one operation of the store. What is queued meanwhile stays queued. */
  readonly replay: Effect.Effect<void, CacheError> = Effect.suspend(() => {
    const until = this.moment
    const keys = this.clearedAt === undefined ? [...this.keys.keys()] : "all"
    return Effect.map(keys === "all" ? this.store.clear : this.store.remove(keys), () => {
      if (this.clearedAt !== undefined && this.clearedAt <= until) this.clearedAt = undefined
      for (const [key, moment] of this.keys) if (moment <= until) this.keys.delete(key)
      this.replayed(keys)
    })
  })
}
