/**
 * How long this process kept its event loop busy at a stretch, in milliseconds of its own CPU time: others' load does not count.
 */
import { Effect } from "effect"

/** Milliseconds. */
const cpu = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1_000
}

export const longestTurn = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<readonly [number, A], E, R> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const state = { longest: 0, last: cpu() }
      const look = () => {
        const now = cpu()
        state.longest = Math.max(state.longest, now - state.last)
        state.last = now
      }
      return { state, look, timer: setInterval(look, 5) }
    }),
    ({ look, state }) =>
      Effect.map(effect, (value) => {
        look()
        return [state.longest, value] as const
      }),
    ({ timer }) => Effect.sync(() => clearInterval(timer))
  )
