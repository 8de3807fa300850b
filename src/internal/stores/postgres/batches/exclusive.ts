/** Exclusive writes (`add`, `replace`) of concurrent fibers in one statement. */
import { Effect, Exit } from "effect"
import type { ByteRecord } from "../../../../ByteStore.js"
import type { CacheError } from "../../../../CacheError.js"
import * as Gather from "../../sql/batcher.js"
import type { Statement } from "../../sql/connection.js"
import { type BatchOptions, concernsAll, limits, maxKeys } from "./batches.js"

export interface Exclusive {
  readonly key: string
  readonly record: ByteRecord
  readonly token: string | undefined
}

/** The row that the statement gave for the key, if any; a null token tells that changes stand there. */
export type Outcome = { readonly token: string | null } | undefined

export const batchExclusive = (
  options: BatchOptions,
  statement: Statement,
  parametersOf: (batch: ReadonlyArray<Exclusive>) => ReadonlyArray<unknown>
) =>
  Effect.gen(function* () {
    const send = (batch: ReadonlyArray<Exclusive>, run: BatchOptions["run"]) =>
      Effect.map(
        run<{ readonly key: string; readonly token: string | null }>(statement, parametersOf(batch)),
        (rows): ReadonlyMap<string, Outcome> => new Map(rows.map((row) => [row.key, row]))
      )

    const gathered = yield* Gather.make({
      ...limits(options),
      maxSize: maxKeys,
      sizeOf: () => 1,
      run: (
        requests: ReadonlyArray<Exclusive>
      ): Effect.Effect<Gather.Outcomes<Exclusive, Outcome | "alone", CacheError>, CacheError> => {
        const first = new Map<string, Exclusive>()
        for (const request of requests) if (!first.has(request.key)) first.set(request.key, request)
        const batch = [...first.values()].sort((a, b) => (a.key < b.key ? -1 : 1))
        return send(batch, options.direct).pipe(
          Effect.map((outcomes) => (request: Exclusive) => {
            const sent = first.get(request.key)
            const outcome = outcomes.get(request.key)
            if (sent === request) return Exit.succeed(outcome)
            // another token: that one's failure says nothing about this one
            if (sent?.token !== request.token) return Exit.succeed("alone" as const)
            return Exit.succeed(outcome?.token === null ? outcome : undefined)
          }),
          Effect.catchIf(
            (error) => requests.length > 1 && !concernsAll(error),
            () => Effect.succeed(() => Exit.succeed("alone" as const))
          )
        )
      }
    })

    return (request: Exclusive): Effect.Effect<Outcome, CacheError> =>
      Effect.flatMap(gathered.request(request), (outcome) =>
        outcome === "alone"
          ? Effect.map(send([request], options.run), (outcomes) => outcomes.get(request.key))
          : Effect.succeed(outcome)
      )
  })
