/**
 * The caller's transaction, which `@effect/sql-libsql` marks by a tag of its own. It is known by its key, because nobody
 * who uses PostgreSQL has that package.
 */
import type { Connection } from "@effect/sql/SqlConnection"
import { Context, Effect, Option } from "effect"
import { libsqlTransactionKey } from "../../runtime/transaction.js"

interface LibsqlTransaction {
  readonly _: unique symbol
}

const LibsqlTransaction = Context.GenericTag<LibsqlTransaction, readonly [Connection, depth: number]>(
  libsqlTransactionKey
)

/** One way where the calling fiber is inside `sql.withTransaction`, another where it is not. */
export const whereTransaction = <A, E>(options: {
  readonly inside: (connection: Connection) => Effect.Effect<A, E>
  readonly outside: Effect.Effect<A, E>
}): Effect.Effect<A, E> =>
  Effect.withFiberRuntime((fiber) =>
    Option.match(Context.getOption(fiber.currentContext, LibsqlTransaction), {
      onNone: () => options.outside,
      onSome: ([connection]) => options.inside(connection)
    })
  )
