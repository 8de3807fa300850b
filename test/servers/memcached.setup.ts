/** Sees to it that the tests find a memcached, before any of them runs. */
import { Effect } from "effect"
import { prepare } from "./memcached.js"
import { setUp } from "./setUp.js"

export default () => setUp("to find a memcached", () => Effect.runPromise(prepare))
