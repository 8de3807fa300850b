/** Sees to it that the tests find a memcached, before any of them runs. */
import { Effect } from "effect"
import { prepare } from "./memcached.js"

export default () => Effect.runPromise(prepare)
