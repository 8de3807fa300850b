/** Sees to it that the tests find a browser, before any of them runs. */
import { Effect } from "effect"
import { prepare } from "./chromium.js"
import { setUp } from "./setUp.js"

export default () => setUp("to find a Chromium", () => Effect.runPromise(prepare))
