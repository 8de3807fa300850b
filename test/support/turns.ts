/** How many turns the event loop had meanwhile: none, if all was done at once. */
import { Effect } from "effect"

export const turnsDuring = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<number, E, R> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const state = { turns: 0, next: setImmediate(() => {}) }
      const turn = () => {
        state.turns++
        state.next = setImmediate(turn)
      }
      state.next = setImmediate(turn)
      return state
    }),
    (state) => Effect.map(effect, () => state.turns),
    (state) => Effect.sync(() => clearImmediate(state.next))
  )
