/** Listens to the events of a cache. */
import { Effect, type Scope, Stream } from "effect"
import type { CacheBackendService, CacheEvent } from "effect-cached"
import { engine } from "../../src/internal/memoized/engine.js"
import { eventually } from "../suites/cached/ground.js"

export interface Heard {
  readonly events: ReadonlyArray<CacheEvent>
  /** Those of the keys and groups that contain the text, once there are so many. */
  readonly about: (text: string, count: number) => Effect.Effect<ReadonlyArray<CacheEvent>>
}

export const isListened = (cache: CacheBackendService): boolean => cache[engine].counters.events.isListened

/** Everything that happens from now on, until the end of the scope. */
export const listening = (cache: CacheBackendService): Effect.Effect<Heard, never, Scope.Scope> =>
  Effect.gen(function* () {
    const events: Array<CacheEvent> = []
    yield* Effect.forkScoped(Stream.runForEach(cache.events, (event) => Effect.sync(() => events.push(event))))
    yield* eventually(
      Effect.sync(() => isListened(cache)),
      (listened) => listened
    )
    const about = (text: string) =>
      events.filter((event) => `${event.key ?? (event._tag === "Invalidated" ? event.group : "")}`.includes(text))
    return {
      events,
      about: (text, count) =>
        eventually(
          Effect.sync(() => about(text)),
          (found) => found.length >= count
        )
    }
  })
