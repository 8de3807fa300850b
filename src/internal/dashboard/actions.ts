/** What the page may ask: to look up a key, and where it is allowed to invalidate. */
import { Effect, Option, Schema } from "effect"
import type { CacheBackendService, CacheInspection } from "../../CacheBackend.js"
import type { CacheError } from "../../CacheError.js"
import { engine } from "../memoized/engine.js"
import { visible } from "./visible.js"

const Asked = Schema.Struct({
  action: Schema.Literal("inspect", "delete", "invalidateGroup"),
  name: Schema.String
})

export const decode = Schema.decodeUnknownOption(Schema.parseJson(Asked))

export interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

export const failed = (status: number, error: string): Answer => ({ status, body: { error } })

const isReadOnly = failed(403, "This view is read-only.")

const foundOf = (cache: CacheBackendService, { bytes, freshUntil, groups, lease, staleUntil }: CacheInspection) => ({
  freshUntil,
  staleUntil,
  lease: Option.getOrNull(Option.map(lease, ({ until }) => until)),
  groups: groups.map((group) => visible(cache[engine].keyspace.showGroup(group))),
  bytes
})

const perform = (
  cache: CacheBackendService,
  { action, name }: typeof Asked.Type
): Effect.Effect<Answer["body"], CacheError> => {
  switch (action) {
    case "inspect":
      return Effect.map(cache.inspect(name), (found) => ({
        found: Option.getOrNull(Option.map(found, (entry) => foundOf(cache, entry)))
      }))
    case "delete":
      return Effect.map(cache.delete(name), (removed) => ({ removed }))
    case "invalidateGroup":
      return Effect.as(cache.invalidateGroup(name), {})
  }
}

/** @param body as it was posted */
export const answer = (cache: CacheBackendService, mayInvalidate: boolean, body: string): Effect.Effect<Answer> =>
  Option.match(decode(body), {
    onNone: () => Effect.succeed(failed(400, "This request is none of the page's.")),
    onSome: (asked) =>
      asked.action !== "inspect" && !mayInvalidate
        ? Effect.succeed(isReadOnly)
        : Effect.match(perform(cache, asked), {
            onFailure: ({ description, reason }) =>
              failed(reason === "InvalidKey" ? 400 : 502, visible(`${reason}: ${description}`)),
            onSuccess: (done): Answer => ({ status: 200, body: done })
          })
  })
