/**
 * The reads of one microtask to one bucket go out as one MGET, whatever fiber asked: without that a hit costs three times as much
 * at 64 callers. A read is only ever answered by a command that was sent after it was asked.
 */
import { Effect } from "effect"
import type { StoredBytes } from "../../../ByteStore.js"
import type { CacheError } from "../../../CacheError.js"
import type { Found, FusedRead } from "../Store.js"
import { type Bucket, type Buckets, byBucket } from "./buckets.js"
import type { Commands } from "./Commands.js"
import { storedBytes } from "./item.js"

/** Redis works on one command at a time: a longer one would keep others waiting. */
const mostKeys = 500

const nothing: ReadonlyArray<unknown> = []

/** Who waits for keys of one bucket. */
interface Waiting {
  readonly found: (stored: (key: string) => StoredBytes | undefined) => void
  readonly failed: (error: CacheError) => void
}

class Batch {
  readonly places = new Map<string, number>()
  private readonly waiting: Array<Waiting> = []

  ask(keys: ReadonlyArray<string>, waiting: Waiting): void {
    for (const key of keys) if (!this.places.has(key)) this.places.set(key, this.places.size)
    this.waiting.push(waiting)
  }

  /** The first element of the answer is the generation. */
  answer(items: ReadonlyArray<unknown>): void {
    const stored = (key: string) => storedBytes(items[0], items[1 + (this.places.get(key) ?? items.length)])
    for (const one of this.waiting) one.found(stored)
  }

  fail(error: CacheError): void {
    for (const one of this.waiting) one.failed(error)
  }
}

/** Resumes its fiber, in which `onFound` and `onFailure` run: what they throw concerns no other caller. */
class Caller<A, E, R> implements Waiting {
  constructor(
    private readonly keys: ReadonlyArray<string>,
    private readonly resume: (effect: Effect.Effect<A, E, R>) => void,
    private readonly onFound: (found: Found<StoredBytes>) => Effect.Effect<A, E, R>,
    private readonly onFailure: (error: CacheError) => Effect.Effect<A, E, R>
  ) {}

  found(stored: (key: string) => StoredBytes | undefined): void {
    this.resume(Effect.suspend(() => this.onFound(this.keys.map(stored))))
  }

  failed(error: CacheError): void {
    this.resume(Effect.suspend(() => this.onFailure(error)))
  }
}

export class Reads {
  private readonly batches = new Map<Bucket, Batch>()

  constructor(
    private readonly commands: Commands,
    private readonly buckets: Buckets
  ) {}

  readonly read: FusedRead<StoredBytes> = (_fiber, keys, onFound, onFailure) =>
    keys.length === 0
      ? onFound([])
      : Effect.async((resume) => {
          const caller = new Caller(keys, resume, onFound, onFailure)
          if (this.buckets.all.length === 1) this.ask(this.buckets.of(""), keys, caller)
          else this.askSeveral(keys, caller)
        })

  private askSeveral(keys: ReadonlyArray<string>, caller: Waiting): void {
    const found = new Map<string, StoredBytes | undefined>()
    const groups = byBucket(this.buckets, keys, (key) => key)
    let open = groups.size
    for (const [bucket, ofBucket] of groups) {
      this.ask(bucket, ofBucket, {
        found: (stored) => {
          for (const key of ofBucket) found.set(key, stored(key))
          if (--open === 0) caller.found((key) => found.get(key))
        },
        failed: (error) => {
          const isFirst = open > 0
          open = 0
          if (isFirst) caller.failed(error)
        }
      })
    }
  }

  private ask(bucket: Bucket, keys: ReadonlyArray<string>, waiting: Waiting): void {
    let batch = this.batches.get(bucket)
    if (batch === undefined || batch.places.size + keys.length > mostKeys) {
      const begun = new Batch()
      batch = begun
      this.batches.set(bucket, begun)
      queueMicrotask(() => this.send(bucket, begun))
    }
    batch.ask(keys, waiting)
  }

  private send(bucket: Bucket, batch: Batch): void {
    if (this.batches.get(bucket) === batch) this.batches.delete(bucket)
    const names = Array.from(batch.places.keys(), bucket.nameOf)
    this.commands.ask(
      "read",
      bucket.generationKey,
      ["MGET", bucket.generationKey, ...names],
      (items) => batch.answer(Array.isArray(items) ? items : nothing),
      (error) => batch.fail(error)
    )
  }
}
