/** The two writes of which, among many callers, one succeeds: `add` and `replace`. */
import { Effect, Option } from "effect"
import type { ByteRecord } from "../../../ByteStore.js"
import { exchange, GuardedWrite } from "./client/exchange.js"
import type { Pool, Route } from "./client/Pool.js"
import { AddCommand, type AddOutcome } from "./commands/AddCommand.js"
import { Token } from "./commands/item.js"
import type { Problem } from "./commands/Problem.js"
import { ReplaceCommand } from "./commands/ReplaceCommand.js"

type Won = Effect.Effect<Option.Option<Token>, Problem>

/** Writes the record only where none lives. */
export const add = (pool: Pool, key: string, record: ByteRecord): Won =>
  Effect.suspend(() => new Adding(pool, pool.route(key), key, record).send())

class Adding extends GuardedWrite<AddOutcome, Option.Option<Token>, Problem, never> {
  constructor(
    private readonly pool: Pool,
    route: Route,
    private readonly key: string,
    private readonly record: ByteRecord
  ) {
    super(route)
  }

  protected command(): AddCommand {
    const { primary, server } = this.route
    return new AddCommand(primary, server.index, this.key, this.record)
  }

  protected written(outcome: AddOutcome): Won {
    const { key, pool, record, route } = this
    if (outcome._tag === "added") return Effect.succeed(Option.some(outcome.token))
    if (outcome._tag === "taken") return Effect.succeedNone
    // Another caller was there in the meantime. Whether what it left lives is to be seen.
    if (outcome._tag === "unknown") return add(pool, key, record)
    const { generation, over } = outcome
    const replaced = exchange(route, () => new ReplaceCommand(route.primary, key, over, generation, record))
    return Effect.flatMap(replaced, (token) => (Option.isSome(token) ? Effect.succeed(token) : add(pool, key, record)))
  }

  protected refused(problem: Problem): Won {
    return Effect.fail(problem)
  }
}

/** Writes the record only over the one that the token was given for. */
export const replace = (pool: Pool, key: string, token: unknown, record: ByteRecord): Won =>
  Effect.suspend(() => {
    const route = pool.route(key)
    // A token of another server: what was read is on a server that another one stands in for, or the other way round.
    if (!(token instanceof Token) || token.server !== route.server.index) return Effect.succeed(Option.none())
    return exchange(route, () => new ReplaceCommand(route.primary, key, token, token.generation, record))
  })
