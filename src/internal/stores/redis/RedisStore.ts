/**
 * The primitives on Redis or Valkey:
 *
 * - `read`: one MGET of the generation and the keys; 1 round trip
 * - `write`, `add`, `replace`, `amend`, `remove`: one script each; 1 round trip. After the server has lost its scripts: 2, once
 * - `clear`: a new generation; 1 round trip, whatever the number of entries
 *
 * In a cluster these are one command a bucket, all at once.
 */
import { Effect, Option, type Scope } from "effect"
import type { ByteItem, ByteRecord } from "../../../ByteStore.js"
import { CacheError } from "../../../CacheError.js"
import type { RejectedItem } from "../../../CacheStore.js"
import { fused } from "../fused.js"
import type { FusedByteStore } from "../Store.js"
import { type Bucket, type Buckets, buckets, byBucket } from "./buckets.js"
import { Commands } from "./Commands.js"
import type { OwnClient } from "./client.js"
import { cacheError, type Operation, replyCode } from "./errors.js"
import { headerLength, itemTail, newGeneration, newToken, RedisToken, sameToken, tokenOf } from "./item.js"
import { Reads } from "./reads.js"
import { scripts } from "./scripts.js"

/** How many replicas must have an invalidation, and for how many milliseconds it waits for them. */
export interface Replication {
  readonly replicas: number
  readonly timeout: number
}

const atOnce = { keys: 1_000, bytes: 8 * 1024 * 1024 }
/** Redis takes values of 512 MB. */
const largest = 500 * 1024 * 1024

const millisOf = ({ lifetime }: ByteRecord): string =>
  Number.isFinite(lifetime) ? `${Math.min(Number.MAX_SAFE_INTEGER, Math.max(1, Math.ceil(lifetime)))}` : ""

const tooLarge = (operation: Operation, key: string, { bytes }: ByteRecord): CacheError | undefined =>
  bytes.byteLength <= largest
    ? undefined
    : new CacheError({
        reason: "TooLarge",
        operation,
        key,
        description: `${bytes.byteLength} bytes are more than the ${largest} that a value may have`
      })

/** Pages of at most `atOnce`. An item that is larger is a page of its own. */
const pages = <A>(elements: ReadonlyArray<A>, bytesOf: (element: A) => number): ReadonlyArray<ReadonlyArray<A>> => {
  const all: Array<Array<A>> = []
  let bytes = 0
  for (const element of elements) {
    const page = all.at(-1)
    bytes += bytesOf(element)
    if (page !== undefined && page.length < atOnce.keys && bytes <= atOnce.bytes) page.push(element)
    else {
      all.push([element])
      bytes = bytesOf(element)
    }
  }
  return all
}

/** All at once. Mostly there is one, and a fiber for it would take longer than the rest of a write in this process. */
const together = <A>(
  parts: ReadonlyArray<Effect.Effect<A, CacheError>>
): Effect.Effect<ReadonlyArray<A>, CacheError> => {
  const [first, ...others] = parts
  return first !== undefined && others.length === 0
    ? Effect.map(first, (one) => [one])
    : Effect.all(parts, { concurrency: "unbounded" })
}

/**
 * @param timeout milliseconds
 * @param waiting how invalidations wait for replicas, on a connection of their own: `WAIT` keeps all later commands waiting
 */
export const make = (
  client: OwnClient,
  namespace: string,
  timeout: number,
  waiting: { readonly client: OwnClient; readonly replication: Replication } | undefined
): Effect.Effect<FusedByteStore, never, Scope.Scope> =>
  Effect.gen(function* () {
    const commandsOf = (of: OwnClient, millis: number) =>
      Effect.acquireRelease(
        Effect.sync(() => new Commands(of, millis)),
        (commands) => Effect.sync(() => commands.close())
      )
    const commands = yield* commandsOf(client, timeout)
    const invalidations =
      waiting === undefined ? commands : yield* commandsOf(waiting.client, timeout + waiting.replication.timeout)
    return over(commands, invalidations, buckets(namespace, client.isCluster), waiting?.replication)
  })

type Scripted = keyof typeof scripts

const over = (
  commands: Commands,
  invalidations: Commands,
  all: Buckets,
  replication: Replication | undefined
): FusedByteStore => {
  const send = (operation: Operation, bucket: Bucket, command: ReadonlyArray<string | Uint8Array>, key?: string) =>
    (operation === "remove" || operation === "clear" ? invalidations : commands).send(
      operation,
      bucket.generationKey,
      command,
      key
    )

  const run = (
    operation: Scripted,
    bucket: Bucket,
    keys: ReadonlyArray<string>,
    args: ReadonlyArray<string | Uint8Array>
  ): Effect.Effect<unknown, CacheError> => {
    const { sha, text } = scripts[operation]
    const rest = [`${keys.length + 1}`, bucket.generationKey, ...keys.map(bucket.nameOf), ...args]
    const key = keys.length === 1 ? keys[0] : undefined
    return Effect.catchIf(
      send(operation, bucket, ["EVALSHA", sha, ...rest], key),
      ({ cause }) => replyCode(cause) === "NOSCRIPT",
      () => send(operation, bucket, ["EVAL", text, ...rest], key)
    )
  }

  /**
   * Runs a script that writes one item with this token. It returns the item's generation, or nothing where another one is there.
   */
  const runWith = (
    token: Buffer,
    operation: Scripted,
    key: string,
    args: ReadonlyArray<string | Uint8Array>
  ): Effect.Effect<Option.Option<RedisToken>, CacheError> =>
    Effect.map(run(operation, all.of(key), [key], args), (generation) =>
      Option.fromNullable(tokenOf(generation, token))
    )

  /** Waits until the replicas have what was sent to this server, if that is asked for. */
  const replicated = (operation: Operation, bucket: Bucket): Effect.Effect<void, CacheError> =>
    replication === undefined
      ? Effect.void
      : Effect.flatMap(
          send(operation, bucket, ["WAIT", `${replication.replicas}`, `${replication.timeout}`]),
          (reached) =>
            Number(reached) >= replication.replicas
              ? Effect.void
              : Effect.fail(
                  cacheError(
                    operation,
                    new Error(`${String(reached)} of ${replication.replicas} replicas have the invalidation in time`)
                  )
                )
        )

  const writePage = (bucket: Bucket, items: ReadonlyArray<ByteItem>) =>
    run(
      "write",
      bucket,
      items.map(({ key }) => key),
      [newGeneration(), ...items.flatMap(({ record }) => [itemTail(newToken(), record.bytes), millisOf(record)])]
    )

  return {
    name: "redis",
    joinsTransaction: () => false,
    sameToken,
    read: new Reads(commands, all).read,
    write: fused((items) =>
      Effect.suspend(() => {
        const rejected: Array<RejectedItem> = []
        // Of two items with one key the last one counts.
        const accepted = new Map<string, ByteItem>()
        for (const item of items) {
          const error = tooLarge("write", item.key, item.record)
          if (error === undefined) accepted.set(item.key, item)
          else rejected.push({ key: item.key, error })
        }
        const parts = [...byBucket(all, [...accepted.values()], ({ key }) => key)].flatMap(([bucket, group]) =>
          pages(group, ({ record }) => record.bytes.byteLength).map((page) => writePage(bucket, page))
        )
        return Effect.as(together(parts), rejected)
      })
    ),
    add: (key, record) =>
      Effect.suspend(() => {
        const error = tooLarge("add", key, record)
        if (error !== undefined) return Effect.fail(error)
        const token = newToken()
        return runWith(token, "add", key, [newGeneration(), itemTail(token, record.bytes), millisOf(record)])
      }),
    replace: (key, token, record) =>
      Effect.suspend(() => {
        const error = tooLarge("replace", key, record)
        if (error !== undefined) return Effect.fail(error)
        if (!(token instanceof RedisToken)) return Effect.succeedNone
        const next = newToken()
        return runWith(next, "replace", key, [token.header, itemTail(next, record.bytes), millisOf(record)])
      }),
    amend: (key, token, record) =>
      Effect.suspend(() => {
        if (!(token instanceof RedisToken)) return Effect.succeedNone
        const next = newToken()
        const { bytes, head, replaces } = record
        const start = itemTail(next, bytes.subarray(0, head))
        return runWith(next, "amend", key, [token.header, start, `${headerLength + replaces}`, millisOf(record)])
      }),
    remove: (keys) =>
      Effect.suspend(() => {
        const parts = [...byBucket(all, [...new Set(keys)], (key) => key)].flatMap(([bucket, group]) =>
          pages(group, () => 0).map((page) =>
            Effect.zipLeft(Effect.map(run("remove", bucket, page, []), Number), replicated("remove", bucket))
          )
        )
        return Effect.map(together(parts), (counts) => counts.reduce((sum, count) => sum + count, 0))
      }),
    clear: Effect.suspend(() =>
      Effect.forEach(
        all.all,
        (bucket) =>
          Effect.zipRight(
            send("clear", bucket, ["SET", bucket.generationKey, newGeneration()]),
            replicated("clear", bucket)
          ),
        { concurrency: "unbounded", discard: true }
      )
    )
  }
}
