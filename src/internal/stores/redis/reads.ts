/**
 * The reads of one microtask to one bucket go out as one MGET, whatever fiber asked: without that a hit costs three times as much
 * at 64 callers. A read is only ever answered by a command that was sent after it was asked.
 */
import type { Effect } from "effect"
import type { StoredBytes } from "../../../ByteStore.js"
import type { CacheError } from "../../../CacheError.js"
import { awaitCallback } from "../../runtime/callback.js"
import type { Found } from "../Store.js"
import { type Bucket, type Buckets, byBucket } from "./buckets.js"
import type { Commands } from "./Commands.js"
import { storedBytes } from "./item.js"

/** Redis works on one command at a time: a longer one would keep others waiting. */
const mostKeys = 500

const nothing: ReadonlyArray<unknown> = []

type Answer = (stored: (key: string) => StoredBytes | undefined) => void

class Batch {
  readonly places = new Map<string, number>()
  readonly onAnswer: Array<Answer> = []
  readonly onFailure: Array<(error: CacheError) => void> = []

  ask(keys: ReadonlyArray<string>, onAnswer: Answer, onFailure: (error: CacheError) => void): void {
    for (const key of keys) if (!this.places.has(key)) this.places.set(key, this.places.size)
    this.onAnswer.push(onAnswer)
    this.onFailure.push(onFailure)
  }

  /** The first element of the answer is the generation. */
  answer(items: ReadonlyArray<unknown>): void {
    const stored = (key: string) => storedBytes(items[0], items[1 + (this.places.get(key) ?? items.length)])
    for (const answer of this.onAnswer) answer(stored)
  }

  fail(error: CacheError): void {
    for (const failed of this.onFailure) failed(error)
  }
}

export class Reads {
  private readonly waiting = new Map<Bucket, Batch>()

  constructor(
    private readonly commands: Commands,
    private readonly buckets: Buckets
  ) {}

  /** Reads at least one key. */
  read<A, E, R>(
    keys: ReadonlyArray<string>,
    onFound: (found: Found<StoredBytes>) => Effect.Effect<A, E, R>,
    onFailure: (error: CacheError) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R> {
    return awaitCallback<A, E, R>((resume) => {
      if (this.buckets.all.length === 1) {
        this.ask(
          this.buckets.of(""),
          keys,
          (stored) => resume(onFound(keys.map(stored))),
          (error) => resume(onFailure(error))
        )
      } else
        this.readSeveral(
          keys,
          (found) => resume(onFound(found)),
          (error) => resume(onFailure(error))
        )
    })
  }

  private readSeveral(
    keys: ReadonlyArray<string>,
    onFound: (found: Found<StoredBytes>) => void,
    onFailure: (error: CacheError) => void
  ): void {
    const found = new Array<StoredBytes | undefined>(keys.length).fill(undefined)
    const groups = byBucket(this.buckets, keys, (key) => key)
    let open = groups.size
    for (const [bucket, group] of groups) {
      this.ask(
        bucket,
        group.map(([, key]) => key),
        (stored) => {
          for (const [place, key] of group) found[place] = stored(key)
          if (--open === 0) onFound(found)
        },
        (error) => {
          const isFirst = open > 0
          open = 0
          if (isFirst) onFailure(error)
        }
      )
    }
  }

  private ask(
    bucket: Bucket,
    keys: ReadonlyArray<string>,
    onAnswer: Answer,
    onFailure: (error: CacheError) => void
  ): void {
    let batch = this.waiting.get(bucket)
    if (batch === undefined || batch.places.size + keys.length > mostKeys) {
      const begun = new Batch()
      batch = begun
      this.waiting.set(bucket, begun)
      queueMicrotask(() => this.send(bucket, begun))
    }
    batch.ask(keys, onAnswer, onFailure)
  }

  private send(bucket: Bucket, batch: Batch): void {
    if (this.waiting.get(bucket) === batch) this.waiting.delete(bucket)
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
