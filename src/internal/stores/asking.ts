/** Asking a store by a callback, and what is done about the answer: without the runtime in between, as far as it goes. */
import { Effect } from "effect"
import type { CacheError } from "../../CacheError.js"
import type { Asker } from "../../CacheStore.js"

/** What a caller does about an answer. */
export interface Reader<Answer, A, E, R> {
  /** Told in the store's own turn, where it may: what takes long belongs into the effect that it gives. */
  readonly found: (answer: Answer) => Effect.Effect<A, E, R>
  readonly failed: (error: CacheError) => Effect.Effect<A, E, R>
}

/** The same for a store that gives an effect. */
export const answering = <Answer, A, E, R>(
  operation: Effect.Effect<Answer, CacheError>,
  reader: Reader<Answer, A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.matchEffect(operation, {
    onFailure: (error) => reader.failed(error),
    onSuccess: (answer) => reader.found(answer)
  })

/** What a store calls back with, on its way to the fiber that waits for it. */
class Answered<Answer, A, E, R> implements Asker<Answer> {
  private answer: Effect.Effect<A, E, R> | undefined
  private resume: ((answer: Effect.Effect<A, E, R>) => void) | undefined

  constructor(private readonly reader: Reader<Answer, A, E, R>) {}

  get awaited(): Effect.Effect<A, E, R> {
    return (
      this.answer ??
      Effect.async((resume) => {
        // it may have come while the fiber gave way to others
        if (this.answer === undefined) this.resume = resume
        else resume(this.answer)
      })
    )
  }

  answered(answer: Answer): void {
    try {
      this.settle(this.reader.found(answer))
    } catch (defect) {
      // it must not come between the store and its other callers
      this.settle(Effect.die(defect))
    }
  }

  failed(instead: Effect.Effect<Answer, CacheError>): void {
    this.settle(answering(instead, this.reader))
  }

  private settle(answer: Effect.Effect<A, E, R>): void {
    if (this.resume === undefined) this.answer = answer
    else this.resume(answer)
  }
}

/** Asks at once; the answer is awaited by what this returns. */
export const unsafeAwaiting = <Answer, A, E, R>(
  ask: (asker: Asker<Answer>) => Effect.Effect<Answer, CacheError> | undefined,
  reader: Reader<Answer, A, E, R>
): Effect.Effect<A, E, R> => {
  const answered = new Answered(reader)
  const instead = ask(answered)
  return instead === undefined ? answered.awaited : answering(instead, reader)
}
