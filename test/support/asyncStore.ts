/**
 * A store as a network makes it: the memory store's six primitives, each with a way there and a way back, and answers
 * that get lost. Several backends over one of these are several processes on one server.
 */
import { Effect } from "effect"
import { CacheError } from "../../src/CacheError.js"
import type { CacheStore } from "../../src/CacheStore.js"
import { type AnyStore, plain } from "./stores.js"

export type Operation = "read" | "write" | "add" | "replace" | "remove" | "clear"

export interface Trip {
  /** Milliseconds before the store acts. 0: at once; the operation still yields. */
  readonly there: number
  /** Milliseconds after it has acted. */
  readonly back: number
  /**
   * - `refused`: `Unavailable`, and nothing was done;
   * - `lost`: `Timeout`, and nothing was done;
   * - `unanswered`: `Timeout`, though it was done.
   */
  readonly fault?: "refused" | "lost" | "unanswered" | undefined
}

export const swift: Trip = { there: 0, back: 0 }

const wait = (millis: number): Effect.Effect<void> => (millis === 0 ? Effect.yieldNow() : Effect.sleep(millis))

/** @param trip decides each operation's way; asked when the operation starts */
export const asyncStore = (
  given: AnyStore,
  trip: (operation: Operation, keys: ReadonlyArray<string>) => Trip = () => swift
): CacheStore => {
  const inner = plain(given)
  const travelling = <A>(
    operation: Operation,
    keys: ReadonlyArray<string>,
    act: Effect.Effect<A, CacheError>
  ): Effect.Effect<A, CacheError> =>
    Effect.suspend(() => {
      const { there, back, fault } = trip(operation, keys)
      const failure = (reason: "Unavailable" | "Timeout") =>
        new CacheError({ reason, operation, description: `the test's network: ${fault}` })
      if (fault === "refused") return Effect.zipRight(wait(there), Effect.fail(failure("Unavailable")))
      if (fault === "lost") return Effect.zipRight(wait(there + back), Effect.fail(failure("Timeout")))
      const acted = Effect.zipRight(wait(there), Effect.zipLeft(act, wait(back)))
      return fault === "unanswered" ? Effect.zipRight(acted, Effect.fail(failure("Timeout"))) : acted
    })
  return {
    name: "async",
    location: "network",
    payloads: inner.payloads,
    read: (keys) => travelling("read", keys, inner.read(keys)),
    write: (items) =>
      travelling(
        "write",
        items.map((item) => item.key),
        inner.write(items)
      ),
    add: (key, entry) => travelling("add", [key], inner.add(key, entry)),
    replace: (key, token, entry) => travelling("replace", [key], inner.replace(key, token, entry)),
    remove: (keys) => travelling("remove", keys, inner.remove(keys)),
    clear: travelling("clear", [], inner.clear)
  }
}
