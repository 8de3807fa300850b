/** The two writes of which, among many callers, one succeeds: `add` and `replace`. */
import { Effect, Option } from "effect"
import type { ByteRecord } from "../../../ByteStore.js"
import { exchange, exchangeUnderGeneration } from "./client/exchange.js"
import type { Pool, Route } from "./client/Pool.js"
import { AddCommand, type AddOutcome } from "./commands/AddCommand.js"
import { DiscardCommand } from "./commands/DiscardCommand.js"
import type { Problem } from "./commands/Problem.js"
import { ReplaceCommand } from "./commands/ReplaceCommand.js"
import { Token } from "./commands/Token.js"

type Won = Effect.Effect<Option.Option<Token>, Problem>

/** Writes the record only where none lives. */
export const add = (pool: Pool, key: string, record: ByteRecord): Won =>
  Effect.suspend(() => {
    const route = pool.route(key)
    const { primary, server } = route
    const done = (result: AddOutcome): Won => {
      if (result._tag === "added") return Effect.succeed(Option.some(result.token))
      if (result._tag === "taken") return Effect.succeed(Option.none())
      // Another caller was there in the meantime. Whether what it left lives is to be seen.
      if (result._tag === "unknown") return add(pool, key, record)
      const over = exchange(route, () => new ReplaceCommand(primary, key, result.over, result.generation, record))
      return Effect.flatMap(over, (token) => (Option.isSome(token) ? Effect.succeed(token) : add(pool, key, record)))
    }
    const command = () => new AddCommand(primary, server.index, key, record)
    return exchangeUnderGeneration(route, { command, done, failed: Effect.fail })
  })

/** Writes the record only over the one that the token was given for. */
export const replace = (pool: Pool, key: string, token: unknown, record: ByteRecord): Won =>
  Effect.suspend(() => {
    const route = pool.route(key)
    // A token of another server: what was read is on a server that another one stands in for, or the other way round.
    if (!(token instanceof Token) || token.server !== route.server.index) return Effect.succeed(Option.none())
    const replaced = exchange(route, () => new ReplaceCommand(route.primary, key, token, token.generation, record))
    return Effect.catchIf(
      replaced,
      ({ reason }) => reason === "TooLarge",
      (problem) => Effect.zipRight(Effect.ignore(discard(route, key, token)), Effect.fail(problem))
    )
  })

const discard = (route: Route, key: string, token: Token): Effect.Effect<void, Problem> =>
  exchange(route, () => new DiscardCommand(route.primary, key, token))
