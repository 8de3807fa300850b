/**
 * SQL transactions whose cache is not in the same database.
 *
 * @since 0.1.0
 */
import { Effect, Exit } from "effect"
import { CacheError } from "./CacheError.js"
import {
  PendingInvalidations,
  pendingInvalidations
} from "./internal/readThrough/invalidations/pendingInvalidations.js"
import { isInTransaction, withFiber } from "./internal/runtime/fiber.js"

const notRepeated = (error: CacheError): CacheError =>
  new CacheError({
    reason: error.reason,
    operation: "afterCommit",
    key: error.key,
    cause: error.cause,
    description:
      "the effect has succeeded and its transaction is committed, but its invalidations could not be carried out again, so the " +
      `cache may hold values from before the commit: ${error.description}`
  })

/**
 * Put around a SQL transaction, it makes the invalidations inside hold after the commit, whatever the backend. They are carried out
 * at once, and again when the effect has ended: what another process has stored or still computes from the rows of before the
 * commit is removed by the second time. So what it returned after is true everywhere. Invalidations are `invalidate`,
 * `invalidateGroup`, `delete`, `deleteMany`, `clear`, and the removal by `forceRecalc` inside a transaction.
 *
 * - Where the cache is part of the transaction (the SQL backend on the same database), an invalidation takes effect with the commit
 *   anyway: nothing is carried out again, and it costs nothing. Behind a tier they are: the tier may have copies from before the
 *   commit.
 * - After a failure, a rollback or an interruption they are carried out again as well, since some of it may be committed. That does
 *   no harm: the values are computed anew. An interruption waits for it.
 * - It belongs around the outermost transaction. Inside one it does nothing of its own.
 * - More than 10,000 keys and groups of one backend become one `clear` of its namespace.
 * - `set`, `add`, `touch` and `increment` on a cache outside of the database take effect at once, and a rollback does not undo
 *   them.
 * - A process that dies between the commit and the second time leaves what was stored in between: the one gap.
 *
 * Fails with `CacheError`, beside the errors of the effect, if the effect succeeded and the second time failed: the transaction is
 * committed then, so don't run it again. Invalidate again, or give the layer `queueInvalidations`. 1 round trip more, to each
 * backend.
 *
 * @example
 * import { SqlClient } from "@effect/sql"
 * import { Effect } from "effect"
 * import { afterCommit, cached } from "effect-cached"
 *
 * const population = cached((slug: string) => Effect.succeed(slug.length), { key: "population" })
 *
 * const rename = (from: string, to: string) =>
 *   Effect.gen(function* () {
 *     const sql = yield* SqlClient.SqlClient
 *     const change = Effect.gen(function* () {
 *       yield* sql`UPDATE cities SET slug = ${to} WHERE slug = ${from}`
 *       yield* population.invalidate(from)
 *     })
 *     yield* afterCommit(sql.withTransaction(change))
 *   })
 *
 * @since 0.1.0
 * @category transactions
 */
export const afterCommit = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | CacheError, R> =>
  withFiber<A, E | CacheError, R>((fiber) => {
    // The commit is that of the outermost transaction, which ends after this effect.
    if (isInTransaction(fiber)) return effect
    const pending = new PendingInvalidations(pendingInvalidations.of(fiber))
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(Effect.exit(restore(pendingInvalidations.within(effect, pending))), (exit) =>
        Effect.matchEffect(pending.repeat, {
          onSuccess: () => exit,
          onFailure: (error): Effect.Effect<A, E | CacheError> =>
            Exit.isSuccess(exit)
              ? Effect.fail(notRepeated(error))
              : Effect.zipRight(Effect.logWarning("Cache afterCommit could not invalidate again", error), exit)
        })
      )
    )
  })
