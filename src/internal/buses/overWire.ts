/**
 * A bus over a wire that carries texts. A subscription proves that it hears by a question that it asks itself. From then on it
 * makes sure that something is heard: who has heard nothing for a while gives a sign of life, which all others hear too.
 */
import { randomBytes } from "node:crypto"
import { Clock, Effect, type Scope } from "effect"
import type { CacheBusService } from "../../CacheBus.js"
import { CacheError } from "../../CacheError.js"
import { heardIn, question, signOfLife, textOf } from "./messages.js"

export interface Wire {
  /** How many bytes a text may have. */
  readonly longest: number
  /** Sends a text in the caller's fiber: inside a transaction, with its commit. */
  readonly send: (text: string) => Effect.Effect<void, CacheError>
  /** Opens a line of its own. Returns how to send on it. `onEnd` says that nothing will be heard any more. */
  readonly open: (
    onText: (text: string) => void,
    onEnd: () => void
  ) => Effect.Effect<(text: string) => Effect.Effect<void, CacheError>, CacheError, Scope.Scope>
  /** Called where a text was not taken in time: what it was sent on may be dead without a word. */
  readonly reconnect?: () => void
}

/** Milliseconds after which a quiet subscriber gives a sign of life, give or take a quarter. */
const quiet = 500
/** Milliseconds of silence after which a line counts as lost. */
const silence = 2_000
/** For a text to be sent. Counted in short sleeps, as time in which this process is too busy to read answers counts for nothing. */
const shortSleep = 100
const longestSend = 2_000

/** Milliseconds between two questions, and for all of them. */
const askAgain = 250
const longestProof = 5_000

/** The other end works in real time, also where a `TestClock` stands still. */
const realTime = Effect.withClock(Clock.make())

const notHeard = new CacheError({
  reason: "Timeout",
  operation: "subscribe",
  description: `the bus did not deliver its own message within ${longestProof} ms`
})

const notTaken = new CacheError({
  reason: "Timeout",
  operation: "publish",
  description: `the bus did not take the message within ${longestSend} ms`
})

const sendTime = Effect.withClock(Effect.repeatN(Effect.sleep(shortSleep), longestSend / shortSleep - 1), Clock.make())

/** A network may take everything and answer nothing: whoever invalidates must not wait for it for ever. */
const inTime = (sent: Effect.Effect<void, CacheError>, late: () => void): Effect.Effect<void, CacheError> =>
  Effect.raceFirst(
    // A statement that is interrupted may wait for the same network.
    Effect.interruptible(Effect.disconnect(sent)),
    Effect.interruptible(Effect.zipRight(sendTime, Effect.zipRight(Effect.sync(late), Effect.fail(notTaken))))
  )

export const overWire = ({ longest, open, reconnect = () => {}, send }: Wire): CacheBusService => ({
  publish: (keys) => (keys.length === 0 ? Effect.void : inTime(send(textOf(keys, longest)), reconnect)),

  subscribe: (heard, lost) =>
    Effect.gen(function* () {
      const id = randomBytes(9).toString("base64url")
      const proven = yield* Effect.makeLatch(false)
      let lastHeard = performance.now()
      let isLost = false
      const loseOnce = () => {
        if (isLost) return
        isLost = true
        lost()
      }
      const opened = open((text) => {
        lastHeard = performance.now()
        if (text === question(id)) proven.unsafeOpen()
        if (!isLost) heard(heardIn(text))
      }, loseOnce)
      const proof = (say: (text: string) => Effect.Effect<void, CacheError>) =>
        Effect.raceFirst(proven.await, Effect.forever(Effect.zipRight(say(question(id)), Effect.sleep(askAgain))))
      const limited = Effect.map(opened, (say) => (text: string) => inTime(say(text), reconnect))
      const say = yield* Effect.tap(limited, proof).pipe(
        Effect.timeoutFail({ duration: longestProof, onTimeout: () => notHeard })
      )

      const stayAlive = Effect.gen(function* () {
        yield* Effect.sleep(quiet * (0.75 + Math.random() / 2))
        const quietFor = performance.now() - lastHeard
        if (quietFor > silence) loseOnce()
        // What can't be sent is not heard either.
        else if (quietFor > quiet / 2) yield* Effect.ignore(say(signOfLife))
      })
      yield* Effect.forkScoped(Effect.forever(stayAlive))
    }).pipe(realTime)
})
