/** What the tests of `cachedMany` share. */
import { Effect } from "effect"

export { eventually, ground, held, type It, live, promptly } from "../cached/ground.js"

/** A load that notes which keys it was asked for. Odd thousands have no value. */
export const noting = <E = never>(before: Effect.Effect<void, E> = Effect.void) => {
  const loads: Array<ReadonlyArray<number>> = []
  let round = 0
  const load = (ids: ReadonlyArray<number>) =>
    Effect.suspend(() => {
      loads.push(ids)
      const now = ++round
      return Effect.as(
        before,
        ids.filter((id) => id < 1_000).map((id) => [id, { id, round: now }] as const)
      )
    })
  return { loads, load }
}

/** The rounds in which the keys were loaded. */
export const rounds = (values: ReadonlyMap<number, { readonly round: number }>): ReadonlyArray<[number, number]> =>
  Array.from(values, ([id, { round }]) => [id, round])

export const range = (from: number, to: number): ReadonlyArray<number> =>
  Array.from({ length: to - from }, (_, index) => from + index)
