/**
 * What a cache tells those who listen to its `events`.
 *
 * @since 0.1.0
 */
import { Data } from "effect"

/**
 * Something that has happened to a key in this process. `key` is the key as the user knows it, `city("lisbon")`, or its hash where
 * the layer has `redactKeys`. No event holds a value or an error.
 *
 * | event | told when |
 * | --- | --- |
 * | `Hit` | a fresh value was served; `tier`: out of the memory in front of the store (`TieredBackend`) |
 * | `StaleHit` | a stale value was served while another caller recomputes it |
 * | `Miss` | a call found no value, or a stale one that it has recomputed |
 * | `Joined` | a call was answered by a computation that another caller had started |
 * | `Computed` | a computation succeeded; `millis` is how long it took, in milliseconds |
 * | `Failed` | a computation ended in an error or a defect |
 * | `Stored` | a value was stored |
 * | `Discarded` | a value was not stored, because the key was invalidated, set or leased anew while it was computed |
 * | `Refused` | a value was not stored, because it can't be encoded, or its `ttl` is no duration |
 * | `Undecodable` | an entry could not be decoded; it is a miss |
 * | `StoreError` | the store failed under a call that went on without it |
 * | `Invalidated` | `key` was invalidated or deleted; or the group with the name `group`; or, without both, everything was cleared |
 *
 * All but `Invalidated` are what the counters of `stats` count, and the `Stored` of `touch` and `increment`. A call is either a
 * `Hit`, a `StaleHit` or a `Miss`.
 *
 * @example
 * import { CacheEvent } from "effect-cached"
 *
 * const show = CacheEvent.$match({
 *   Hit: ({ key, tier }) => `${key}: hit${tier ? " in the tier" : ""}`,
 *   StaleHit: ({ key }) => `${key}: stale`,
 *   Miss: ({ key }) => `${key}: miss`,
 *   Joined: ({ key }) => `${key}: joined`,
 *   Computed: ({ key, millis }) => `${key}: computed in ${millis} ms`,
 *   Failed: ({ key }) => `${key}: failed`,
 *   Stored: ({ key }) => `${key}: stored`,
 *   Discarded: ({ key }) => `${key}: discarded`,
 *   Refused: ({ key }) => `${key}: refused`,
 *   Undecodable: ({ key }) => `${key}: undecodable`,
 *   StoreError: ({ key }) => `${key}: the store failed`,
 *   Invalidated: ({ group, key }) => `invalidated: ${key ?? group ?? "everything"}`
 * })
 *
 * @since 0.1.0
 * @category models
 */
export type CacheEvent = Data.TaggedEnum<{
  Hit: { readonly key: string; readonly tier: boolean }
  StaleHit: { readonly key: string }
  Miss: { readonly key: string }
  Joined: { readonly key: string }
  Computed: { readonly key: string; readonly millis: number }
  Failed: { readonly key: string }
  Stored: { readonly key: string }
  Discarded: { readonly key: string }
  Refused: { readonly key: string }
  Undecodable: { readonly key: string }
  StoreError: { readonly key: string }
  Invalidated: { readonly key?: string; readonly group?: string }
}>

/**
 * Makes events, for tests, and tells them apart: `CacheEvent.$is("Hit")`, `CacheEvent.$match({ … })`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const CacheEvent: Data.TaggedEnum.Constructor<CacheEvent> = Data.taggedEnum<CacheEvent>()
