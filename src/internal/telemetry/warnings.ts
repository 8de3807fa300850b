/**
 * The warnings of one layer. Each kind is logged at most once a minute: a cache that is asked a thousand times a second must not
 * log a thousand lines. The next line of that kind says how many were left out.
 */
import { Duration, Effect } from "effect"
import { nowMillis, withFiber } from "../runtime/fiber.js"

const quiet = Duration.toMillis("1 minute")
/** Kinds may hold the name of a function, and a program may make functions without end. */
const mostKinds = 1_000

interface Kind {
  /** When it was logged last, in milliseconds on the Clock. */
  loggedAt: number
  leftOut: number
}

export class Warnings {
  private readonly kinds = new Map<string, Kind>()

  /**
   * @param kind what is logged once a minute; it must not hold a key or a value
   * @param message called only if the warning is logged
   * @param annotations of the log line
   */
  warn(
    kind: string,
    message: () => string,
    annotations: Readonly<Record<string, unknown>> = {},
    ...details: ReadonlyArray<unknown>
  ): Effect.Effect<void> {
    return Effect.asVoid(this.tryWarn(kind, message, annotations, ...details))
  }

  /** The same, and says whether the warning was logged. */
  tryWarn(
    kind: string,
    message: () => string,
    annotations: Readonly<Record<string, unknown>> = {},
    ...details: ReadonlyArray<unknown>
  ): Effect.Effect<boolean> {
    return withFiber((fiber) => {
      const now = nowMillis(fiber)
      const known = this.kinds.get(kind)
      // A Clock may be set back: then the kind is logged again.
      if (known !== undefined && now >= known.loggedAt && now < known.loggedAt + quiet) {
        known.leftOut++
        return Effect.succeed(false)
      }
      const leftOut = known?.leftOut ?? 0
      if (known === undefined && this.kinds.size >= mostKinds) this.kinds.clear()
      this.kinds.set(kind, { loggedAt: now, leftOut: 0 })
      const text = leftOut === 0 ? message() : `${message()} (and ${leftOut} more since the last such line)`
      return Effect.as(Effect.annotateLogs(Effect.logWarning(text, ...details), annotations), true)
    })
  }
}
