/** Sees to it that the tests find a Redis, before any of them runs. */
import { Effect } from "effect"
import { prepare } from "./redis.js"
import { setUp } from "./setUp.js"

export default () => setUp("to find a Redis", () => Effect.runPromise(prepare))
