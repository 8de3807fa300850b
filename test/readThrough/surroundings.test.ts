/**
 * A computation runs in a fiber of the layer, but with the surroundings of its caller: services, fiber references, logs, spans,
 * interruptibility.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, FiberRef, HashMap, Layer, Logger, Option, type Tracer } from "effect"
import { cached, MemoryBackend } from "effect-cached"
import { memoryRig } from "../support/backend.js"

class Tenant extends Context.Tag("test/Tenant")<Tenant, string>() {}

const reference = FiberRef.unsafeMake("nobody")

describe("a computation sees its caller's", () => {
  it.scoped("services and fiber references; the caller does not see what the computation changes in them", () =>
    Effect.gen(function* () {
      const { provide } = yield* memoryRig
      const seen = cached(
        Effect.zip(Tenant, FiberRef.get(reference)).pipe(Effect.zipLeft(FiberRef.set(reference, "computation"))),
        { key: "seen" }
      )
      const call = Effect.zip(seen, FiberRef.get(reference)).pipe(
        Effect.locally(reference, "caller"),
        Effect.provideService(Tenant, "acme")
      )
      assert.deepStrictEqual(yield* provide(call), [["acme", "caller"], "caller"])
    })
  )

  it.scoped("log annotations", () =>
    Effect.gen(function* () {
      const { provide } = yield* memoryRig
      const logged: Array<string> = []
      const logger = Logger.make(({ annotations, message }) => {
        logged.push(`${message} for ${Option.getOrElse(HashMap.get(annotations, "request"), () => "nobody")}`)
      })
      const value = cached(Effect.log("computing"), { key: "value", cacheWhen: () => true })
      yield* provide(value).pipe(
        Effect.annotateLogs("request", "r1"),
        Effect.provide(Logger.replace(Logger.defaultLogger, logger))
      )
      assert.deepStrictEqual(logged, ["computing for r1"])
    })
  )

  it.scoped("span as parent", () =>
    Effect.gen(function* () {
      const { provide } = yield* memoryRig
      const value = cached(
        Effect.map(Effect.currentParentSpan, (span) => span),
        { key: "value" }
      )
      const [own, caller] = yield* provide(Effect.zip(value, Effect.currentSpan)).pipe(Effect.withSpan("caller"))
      // If a tracer is installed, the computation has a span of its own in between.
      const line: Array<string> = []
      for (let at: Tracer.AnySpan | undefined = own; at !== undefined; ) {
        line.push(at.spanId)
        at = at._tag === "Span" ? Option.getOrUndefined(at.parent) : undefined
      }
      assert.include(line, caller.spanId)
    })
  )
})

describe("interruptibility", () => {
  it.scoped("an interrupted caller in an uninterruptible region still gets its value", () =>
    Effect.gen(function* () {
      const { provide } = yield* memoryRig
      let ended: unknown
      const value = cached(Effect.as(Effect.repeatN(Effect.yieldNow(), 30), "value"), { key: "value" })
      const fiber = yield* Effect.fork(
        Effect.uninterruptible(
          Effect.tap(provide(value), (result) =>
            Effect.sync(() => {
              ended = result
            })
          )
        )
      )
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(ended, "value")
    })
  )

  it.scoped("a finaliser of an interrupted caller may compute", () =>
    Effect.gen(function* () {
      const { provide } = yield* memoryRig
      let ended: unknown
      const value = cached(Effect.as(Effect.repeatN(Effect.yieldNow(), 30), "value"), { key: "value" })
      const fiber = yield* Effect.fork(
        Effect.onInterrupt(Effect.never, () =>
          Effect.tap(provide(value), (result) =>
            Effect.sync(() => {
              ended = result
            })
          )
        )
      )
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(ended, "value")
    })
  )

  it.scoped("a computation is interruptible although its caller is not", () =>
    Effect.gen(function* () {
      const { provide } = yield* memoryRig
      const interruptible = cached(
        Effect.checkInterruptible((may) => Effect.succeed(may)),
        { key: "interruptible" }
      )
      assert.isTrue(yield* Effect.uninterruptible(provide(interruptible)))
    })
  )

  it.scoped("an uninterruptible computation goes on to its end, and leaves no flight", () =>
    Effect.gen(function* () {
      const { provide, flights } = yield* memoryRig
      let ended = 0
      const value = cached(
        Effect.uninterruptible(Effect.repeatN(Effect.yieldNow(), 30).pipe(Effect.zipRight(Effect.sync(() => ++ended)))),
        { key: "value" }
      )
      const fiber = yield* Effect.fork(provide(value))
      yield* Effect.repeatN(Effect.yieldNow(), 10)
      const exit = yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.isInterrupted(exit))
      assert.strictEqual(ended, 1)
      assert.strictEqual(flights(), 0)
    })
  )
})

it.scoped("fibers that a computation forks end with it; daemons do not, and may call the same key again", () =>
  Effect.gen(function* () {
    const { provide } = yield* memoryRig
    let interrupted = 0
    let asked: unknown
    const value: Effect.Effect<string, unknown, never> = Effect.suspend(() => provide(parent))
    const parent = cached(
      Effect.gen(function* () {
        yield* Effect.fork(
          Effect.onInterrupt(Effect.never, () =>
            Effect.sync(() => {
              interrupted++
            })
          )
        )
        yield* Effect.forkDaemon(
          Effect.repeatN(Effect.yieldNow(), 200).pipe(
            Effect.zipRight(Effect.exit(value)),
            Effect.tap((exit) =>
              Effect.sync(() => {
                asked = exit
              })
            )
          )
        )
        yield* Effect.repeatN(Effect.yieldNow(), 5)
        return "value"
      }),
      { key: "parent" }
    )
    assert.strictEqual(yield* value, "value")
    assert.strictEqual(interrupted, 1)
    yield* Effect.repeatN(Effect.yieldNow(), 400)
    assert.deepStrictEqual(asked, Exit.succeed("value"))
  })
)

it.scoped("a fiber that joins one forked by a computation is not taken for a part of that computation", () =>
  Effect.gen(function* () {
    const layer = yield* Layer.build(MemoryBackend.layer())
    let daemon: Fiber.RuntimeFiber<string> | undefined
    let begun = 0
    const outer = cached(
      Effect.gen(function* () {
        if (++begun === 1) daemon = yield* Effect.forkDaemon(Effect.succeed("daemon"))
        yield* Effect.repeatN(Effect.yieldNow(), 20)
        return "outer"
      }),
      { key: "outer" }
    )
    const first = yield* Effect.fork(Effect.provide(outer, layer))
    yield* Effect.repeatN(Effect.yieldNow(), 10)
    assert.strictEqual(daemon === undefined ? undefined : yield* Fiber.join(daemon), "daemon")
    assert.strictEqual(yield* Effect.provide(outer, layer), "outer")
    assert.strictEqual(yield* Fiber.join(first), "outer")
    assert.strictEqual(begun, 1)
  })
)
