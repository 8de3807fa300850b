/** The exclusive writes (`add`, `replace`, `amend`) of concurrent fibers in one statement. */
import { Effect } from "effect"
import type { ByteItem } from "../../../../ByteStore.js"
import type { CacheError } from "../../../../CacheError.js"
import { isOutage } from "../../../outages/outage.js"
import * as Batcher from "../../sql/batcher.js"
import type { Run } from "../connection.js"
import type { Statement } from "../statements/named.js"
import { type BatchOptions, concurrency, maxKeys } from "./batches.js"

export interface Exclusive extends ByteItem {
  /** Undefined for `add`. */
  readonly token: string | undefined
  /** How many bytes of what stands there `record` takes the place of; undefined where it is all of the record. */
  readonly replaces?: number
}

/** The row that the statement gave for the key, if any. A null token tells that changes stand there. */
export type Outcome = { readonly token: string | null } | undefined

const sendAlone = "send alone" as const

export const batchExclusive = (
  options: BatchOptions,
  statement: Statement,
  parametersOf: (batch: ReadonlyArray<Exclusive>) => ReadonlyArray<unknown>
) =>
  Effect.gen(function* () {
    const send = (batch: ReadonlyArray<Exclusive>, run: Run) =>
      Effect.map(
        run<{ readonly key: string; readonly token: string | null }>(statement, parametersOf(batch)),
        (rows): ReadonlyMap<string, Outcome> => new Map(rows.map((row) => [row.key, row]))
      )

    const batcher = yield* Batcher.make({
      concurrency,
      fibers: options.fibers,
      maxSize: maxKeys,
      sizeOf: () => 1,
      run: (
        requests: ReadonlyArray<Exclusive>
      ): Effect.Effect<Batcher.Answers<Exclusive, Outcome | typeof sendAlone>, CacheError> => {
        const first = new Map<string, Exclusive>()
        for (const request of requests) if (!first.has(request.key)) first.set(request.key, request)
        const batch = [...first.values()].sort((a, b) => (a.key < b.key ? -1 : 1))
        return send(batch, options.direct).pipe(
          Effect.map((outcomes) => (request: Exclusive) => {
            const sent = first.get(request.key)
            const outcome = outcomes.get(request.key)
            if (sent === request) return outcome
            // if the first of two had another token, its failure says nothing about the second
            if (sent?.token !== request.token) return sendAlone
            return outcome?.token === null ? outcome : undefined
          }),
          Effect.catchIf(
            (error) => requests.length > 1 && !isOutage(error),
            () => Effect.succeed(() => sendAlone)
          )
        )
      }
    })

    return (request: Exclusive): Effect.Effect<Outcome, CacheError> =>
      Effect.flatMap(batcher.request(request), (outcome) =>
        outcome === sendAlone
          ? Effect.map(send([request], options.run), (outcomes) => outcomes.get(request.key))
          : Effect.succeed(outcome)
      )
  })
