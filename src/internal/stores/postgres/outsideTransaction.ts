/**
 * The primitives where no transaction of the user is around. Each is one statement and so atomic by itself. What concurrent
 * fibers ask goes out in one batch.
 */
import { Effect, Exit, Option, type Scope } from "effect"
import type { ByteRecord, StoredBytes } from "../../../ByteStore.js"
import type { CacheError } from "../../../CacheError.js"
import type { Found } from "../Store.js"
import { forEachPage } from "../sql/namespace.js"
import type { MatchRead, Primitives } from "../sql/SqlStore.js"
import type { BatchOptions } from "./batches/batches.js"
import { batchExclusive } from "./batches/exclusive.js"
import { batchRead } from "./batches/read.js"
import { batchRemove } from "./batches/remove.js"
import { batchWrite } from "./batches/write.js"
import { foldOver, sharedChanges, tokenOf } from "./fold.js"
import { foundOf, type SqlToken, type State } from "./state.js"
import { packed } from "./statements/parameters.js"

export interface OutsideOptions extends BatchOptions {
  readonly namespace: string
}

export interface Outside extends Omit<Primitives<SqlToken>, "read"> {
  readonly read: MatchRead
}

/** So that no statement locks more than one page of keys. */
const pageSize = 1_000

export const outsideTransaction = (options: OutsideOptions): Effect.Effect<Outside, never, Scope.Scope> =>
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
    const writeOver = foldOver(run, statements, sharedKey)

    /** Tries again where the purge folds the changes in between: then no other caller has won. */
    const add = (key: string, record: ByteRecord, attempts = 10): Effect.Effect<Option.Option<SqlToken>, CacheError> =>
      Effect.flatMap(adds({ key, record, token: undefined }), (outcome) => {
        if (outcome?.token !== null) return Effect.succeed(tokenOf(outcome?.token))
        return Effect.flatMap(reads.request([key]), ([state]) => {
          if (state === undefined || state.isAlive()) return Effect.succeedNone
          return Effect.flatMap(writeOver(key, state.token, record), (token) =>
            Option.isSome(token) || attempts === 1 ? Effect.succeed(token) : add(key, record, attempts - 1)
          )
        })
      })

    return {
      // answered in the callback of the batch, without an Effect in between
      read: <A, E, R>(
        keys: ReadonlyArray<string>,
        onFound: (found: Found<StoredBytes>) => Effect.Effect<A, E, R>,
        onFailure: (error: CacheError) => Effect.Effect<A, E, R>
      ) => {
        const onSuccess = (states: ReadonlyArray<State>) => onFound(foundOf(states))
        return Effect.async<A, E, R>((resume) =>
          reads.ask(keys, (exit) =>
            resume(Exit.isSuccess(exit) ? onSuccess(exit.value) : Effect.matchEffect(exit, { onSuccess, onFailure }))
          )
        )
      },

      write,

      add: (key, record) => add(key, record),

      replace: (key, token, record) => {
        if (token.changes.length > 0) return writeOver(key, token, record)
        if (token.record === undefined) return Effect.succeedNone
        return Effect.map(replaces({ key, record, token: token.record }), (outcome) => tokenOf(outcome?.token))
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
