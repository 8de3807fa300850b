/**
 * A store whose values are transformed on their way to the store below: compressed, encrypted. Only the bytes of values are. Times,
 * leases, groups and keys stay readable, because stores and the engine decide by them, and so does the version of a group, which
 * every entry of the group names.
 *
 * A value that can't be transformed back is absent; the lease beside it counts.
 */
import { Effect, Either } from "effect"
import { CacheError } from "../../../CacheError.js"
import type { CachedValue, Entry, RejectedItem, StoredEntry, WriteItem } from "../../../CacheStore.js"
import { isGroupKey } from "../../keys/finishKey.js"
import { type CallingFiber, withFiber } from "../../runtime/fiber.js"
import { Warnings } from "../../telemetry/warnings.js"
import { type Found, identityOf, type Store } from "../Store.js"
import type { ByteTransform } from "./ByteTransform.js"
import { decodeBy, doneAtOnce, encodeBy, inOrder } from "./steps.js"

/** What is not done at once holds several times its size in memory. */
const together = { concurrency: 4 }

const refused = (description: string): Either.Either<never, CacheError> =>
  Either.left(new CacheError({ reason: "InvalidOption", operation: "layer", description }))

/** The store over this one, or `InvalidOption` for a store whose values are no bytes. A transformed store gets one step more. */
export const transformedStore = (given: Store, step: ByteTransform): Either.Either<Store, CacheError> => {
  if (given.local?.near !== undefined) {
    return refused(`${step.name} can't stand over a tier, which keeps decoded values: put it over the backend below`)
  }
  if (given.payloads !== "bytes") {
    return refused(
      `${step.name} needs bytes, and the ${given.name} store keeps references: MemoryBackend needs copy: true`
    )
  }
  const { below, steps } = given.transformed ?? { below: given, steps: [] }
  return Either.right(overSteps(below, inOrder([...steps, step])))
}

const withPayload = (entry: Entry, value: CachedValue, payload: Uint8Array): Entry => ({
  value: {
    payload,
    freshUntil: value.freshUntil,
    staleUntil: value.staleUntil,
    computeMillis: value.computeMillis
  },
  lease: entry.lease,
  groups: entry.groups
})

const overSteps = (below: Store, steps: ReadonlyArray<ByteTransform>): Store => {
  const warnings = new Warnings()
  /**
   * The stored bytes of payloads: who writes a value again, with a lease or another time, need not transform it again. Under
   * another key the same payload becomes other bytes.
   */
  const remembered = new WeakMap<Uint8Array, { readonly key: string; readonly bytes: Uint8Array }>()
  const storedAs = (key: string, payload: Uint8Array): Uint8Array | undefined => {
    const stored = remembered.get(payload)
    return stored?.key === key ? stored.bytes : undefined
  }

  const refusedBy = (name: string): Effect.Effect<void> =>
    warnings.warn(
      `unreadable by ${name}`,
      () =>
        `Cache store ${below.name} has a value that ${name} can't read, so it counts as absent: ` +
        "it was stored with other options or keys, or was changed"
    )

  const withoutValue = ({ entry, token }: StoredEntry): StoredEntry => ({
    token,
    entry: entry?.lease === undefined ? undefined : { value: undefined, lease: entry.lease, groups: entry.groups }
  })

  /** An Effect if it can't be decoded at once. */
  const decoded = (
    key: string,
    stored: StoredEntry | undefined
  ): StoredEntry | undefined | Effect.Effect<StoredEntry> => {
    const entry = stored?.entry
    const value = entry?.value
    if (stored === undefined || entry === undefined || value === undefined || isGroupKey(key)) return stored
    const { payload: bytes } = value
    const accepted = (payload: Uint8Array): StoredEntry => {
      // Decoded, so they are bytes.
      remembered.set(payload, { key, bytes: bytes as Uint8Array })
      return { token: stored.token, entry: withPayload(entry, value, payload) }
    }
    const result = decodeBy(steps, bytes, key)
    const done = doneAtOnce(result)
    if (done !== undefined && Either.isRight(done)) return accepted(done.right)
    return Effect.matchEffect(result, {
      onFailure: (name) => Effect.as(refusedBy(name), withoutValue(stored)),
      onSuccess: (payload) => Effect.succeed(accepted(payload))
    })
  }

  const allDecoded = (
    keys: ReadonlyArray<string>,
    found: Found<StoredEntry>
  ): Found<StoredEntry> | Effect.Effect<Found<StoredEntry>> => {
    const entries: Array<StoredEntry | undefined> = []
    const later: Array<Effect.Effect<void>> = []
    for (const [index, stored] of found.entries()) {
      const entry = decoded(keys[index] ?? "", stored)
      if (!Effect.isEffect(entry)) entries.push(entry)
      else {
        entries.push(undefined)
        later.push(
          Effect.map(entry, (read) => {
            entries[index] = read
          })
        )
      }
    }
    return later.length === 0 ? entries : Effect.as(Effect.all(later, { ...together, discard: true }), entries)
  }

  const encoded = (key: string, entry: Entry): Effect.Effect<Entry, CacheError> => {
    const { value } = entry
    if (value === undefined || isGroupKey(key)) return Either.right(entry)
    // The codecs of values encode to bytes where a store keeps bytes.
    const payload = value.payload as Uint8Array
    const known = storedAs(key, payload)
    if (known !== undefined) return Either.right(withPayload(entry, value, known))
    const storing = (bytes: Uint8Array): Entry => {
      remembered.set(payload, { key, bytes })
      return withPayload(entry, value, bytes)
    }
    const result = encodeBy(steps, payload, key)
    const done = doneAtOnce(result)
    return done === undefined ? Effect.map(result, storing) : Either.map(done, storing)
  }

  const writeEncoded = <A, E, R>(
    fiber: CallingFiber,
    items: ReadonlyArray<WriteItem>,
    results: ReadonlyArray<Either.Either<Entry, CacheError> | undefined>,
    onWritten: (rejected: ReadonlyArray<RejectedItem>) => Effect.Effect<A, E, R>,
    onFailure: (error: CacheError) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R> => {
    const writable: Array<WriteItem> = []
    const rejected: Array<RejectedItem> = []
    for (const [index, { key }] of items.entries()) {
      const result = results[index]
      if (result === undefined) continue
      if (Either.isRight(result)) writable.push({ key, entry: result.right })
      else rejected.push({ key, error: result.left })
    }
    if (rejected.length === 0) return below.write(fiber, writable, onWritten, onFailure)
    return writable.length === 0
      ? onWritten(rejected)
      : below.write(fiber, writable, (others) => onWritten([...rejected, ...others]), onFailure)
  }

  /**
   * What stands below stays there, so it must be the very bytes that were read or written: a value that is encoded again may become
   * other bytes.
   */
  const amendEncoded = ({ amend }: Store): Pick<Store, "amend"> =>
    amend === undefined
      ? {}
      : {
          amend: (key, token, entry, before) =>
            Effect.suspend(() => {
              const { value } = entry
              const known = value === undefined ? undefined : storedAs(key, value.payload as Uint8Array)
              if (value === undefined || before.value === undefined || known === undefined) {
                return Effect.flatMap(encoded(key, entry), (stored) => below.replace(key, token, stored))
              }
              return amend(key, token, withPayload(entry, value, known), withPayload(before, before.value, known))
            })
        }

  return {
    ...identityOf(below),
    // Remembered entries are encoded ones.
    local: undefined,
    transformed: { below, steps },
    read: (fiber, keys, onFound, onFailure) =>
      below.read(
        fiber,
        keys,
        (found) => {
          const entries = allDecoded(keys, found)
          return Effect.isEffect(entries) ? Effect.flatMap(entries, onFound) : onFound(entries)
        },
        onFailure
      ),
    write: (fiber, items, onWritten, onFailure) => {
      const results = items.map(({ entry, key }) => encoded(key, entry))
      const done = results.map(doneAtOnce)
      return done.includes(undefined)
        ? Effect.flatMap(Effect.forEach(results, Effect.either, together), (ended) =>
            withFiber((current) => writeEncoded(current, items, ended, onWritten, onFailure))
          )
        : writeEncoded(fiber, items, done, onWritten, onFailure)
    },
    add: (key, entry) => Effect.suspend(() => Effect.flatMap(encoded(key, entry), (stored) => below.add(key, stored))),
    replace: (key, token, entry) =>
      Effect.suspend(() => Effect.flatMap(encoded(key, entry), (stored) => below.replace(key, token, stored))),
    ...amendEncoded(below),
    remove: (keys) => below.remove(keys),
    clear: below.clear,
    ...(below.size === undefined ? {} : { size: below.size })
  }
}
