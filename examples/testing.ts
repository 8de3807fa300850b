/** The layer is the only line that a test changes: an empty cache of its own, a clock of its own, or no cache at all. */
import { Console, Effect, Ref, TestClock, TestContext } from "effect"
import { type CacheBackend, cached, MemoryBackend, NoopBackend } from "effect-cached"

// The program.

const makeGreeter = (log: Ref.Ref<number>) =>
  cached(
    (name: string) =>
      Effect.as(
        Ref.update(log, (count) => count + 1),
        `Hello, ${name}!`
      ),
    {
      key: "greeting",
      ttl: "1 hour",
      stale: 0
    }
  )

/** Greets before and after an hour and a minute; the number of greetings that had to be composed. */
const scenario: Effect.Effect<number, never, CacheBackend> = Effect.gen(function* () {
  const composed = yield* Ref.make(0)
  const greet = makeGreeter(composed)
  yield* greet("Ada")
  yield* greet("Ada")
  yield* TestClock.adjust("61 minutes")
  yield* greet("Ada")
  return yield* Ref.get(composed)
}).pipe(Effect.provide(TestContext.TestContext))

// The tests.

// With copies, values are encoded as on a server: one that a server would refuse is refused here too.
const inMemory = scenario.pipe(Effect.provide(MemoryBackend.layer({ copy: true })))
const withoutCache = scenario.pipe(Effect.provide(NoopBackend.layer))

const tests = Effect.gen(function* () {
  yield* Console.log(`memory: ${yield* inMemory} of 3 composed, one of them after its hour`)
  yield* Console.log(`no cache: ${yield* withoutCache} of 3 composed`)
})

Effect.runPromise(tests)
