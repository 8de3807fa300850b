/**
 * The primitives where no transaction of the user is around. Each is one statement and so atomic by itself. What concurrent
 * fibers ask goes out in one batch.
 */
import { Effect, Option, type Scope } from "effect"
import type { ByteRecord } from "../../../ByteStore.js"
import type { CacheError } from "../../../CacheError.js"
import { forEachPage } from "../sql/namespace.js"
import type { Outside } from "../sql/SqlStore.js"
import type { BatchOptions } from "./batches/batches.js"
import { batchExclusive, type Outcome } from "./batches/exclusive.js"
import { batchRead } from "./batches/read.js"
import { batchRemove } from "./batches/remove.js"
import { batchWrite } from "./batches/write.js"
import { sharedChanges } from "./fold.js"
import type { Statement } from "./statements/named.js"
import { packed } from "./statements/parameters.js"

export interface OutsideOptions extends BatchOptions {
  readonly namespace: string
}

/** So that no statement locks more than one page of keys. */
const pageSize = 1_000

const tokenOf = (outcome: Outcome): Option.Option<string> => Option.fromNullable(outcome?.token)

export const outsideTransaction = (options: OutsideOptions): Effect.Effect<Outside<string>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { namespace, run, sharedKey, statements } = options
    const reads = yield* batchRead(options)
    const write = yield* batchWrite(options)
    const remove = yield* batchRemove(options)
    const adds = yield* batchExclusive(options, statements.add, (batch) => [...packed(batch), sharedKey])
    const replaces = yield* batchExclusive(options, statements.replace, (batch) => [
      ...packed(batch),
      batch.map((request) => request.token),
      sharedKey
    ])

    const amends = yield* batchExclusive(options, statements.amend, (batch) => [
      ...packed(batch),
      batch.map((request) => request.token),
      batch.map((request) => request.replaces ?? 0),
      sharedKey
    ])

    /** Where changes stand: alone, in a statement that folds them. */
    const over = (statement: Statement, parameters: ReadonlyArray<unknown>): Effect.Effect<Outcome, CacheError> =>
      Effect.map(run<NonNullable<Outcome>>(statement, parameters), ([row]) => row)

    const add = (key: string, record: ByteRecord) =>
      Effect.flatMap(adds({ key, record, token: undefined }), (outcome) =>
        outcome?.token === null
          ? over(statements.addOver, [...packed([{ key, record }]), sharedKey])
          : Effect.succeed(outcome)
      )

    /** Twice where the purge makes the value row a record in between, which keeps its token. */
    const replace = (
      key: string,
      token: string,
      record: ByteRecord,
      attempts = 2
    ): Effect.Effect<Outcome, CacheError> =>
      Effect.flatMap(replaces({ key, record, token }), (outcome) =>
        outcome?.token === null && attempts > 0
          ? Effect.flatMap(
              over(statements.replaceOver, [...packed([{ key, record }]), [token], sharedKey]),
              (written) => (written === undefined ? replace(key, token, record, attempts - 1) : Effect.succeed(written))
            )
          : Effect.succeed(outcome)
      )

    return {
      read: reads.match,

      write,

      add: (key, record) => Effect.map(add(key, record), tokenOf),

      replace: (key, token, record) => Effect.map(replace(key, token, record), tokenOf),

      amend: (key, token, record) => {
        const { bytes, head, lifetime, replaces } = record
        const amended = amends({ key, token, record: { bytes: bytes.subarray(0, head), lifetime }, replaces })
        return Effect.map(
          Effect.flatMap(amended, (outcome) =>
            outcome?.token === null ? replace(key, token, record) : Effect.succeed(outcome)
          ),
          tokenOf
        )
      },

      remove,

      clear: Effect.gen(function* () {
        const changes = yield* sharedChanges(run, statements, sharedKey)
        yield* forEachPage(
          (last) => run<{ readonly key: string }>(statements.keysOf, [namespace, last, sharedKey, pageSize]),
          remove
        )
        // only now: until its records are gone, an earlier clear in a transaction must keep hiding them
        if (changes.length > 0) yield* run(statements.forgetChanges, [sharedKey, changes])
      })
    }
  })
