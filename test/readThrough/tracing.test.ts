/**
 * What a tracer is told: a span around each computation, links between it and the callers who share it, and whether a call was
 * answered from the cache.
 */
import { assert, describe, it } from "@effect/vitest"
import { type Context, Deferred, Effect, type Exit, Fiber, Option, TestClock, Tracer } from "effect"
import { cached } from "effect-cached"
import { asyncStore } from "../support/asyncStore.js"
import { memoryRig, memoryStore, rig } from "../support/backend.js"

class CollectedSpan implements Tracer.Span {
  readonly _tag = "Span"
  readonly sampled = true
  readonly attributes = new Map<string, unknown>()
  readonly links: Array<Tracer.SpanLink>
  status: Tracer.SpanStatus
  readonly traceId: string

  constructor(
    readonly spanId: string,
    readonly name: string,
    readonly parent: Option.Option<Tracer.AnySpan>,
    readonly context: Context.Context<never>,
    links: ReadonlyArray<Tracer.SpanLink>,
    readonly kind: Tracer.SpanKind
  ) {
    this.traceId = Option.match(parent, { onNone: () => spanId, onSome: (span) => span.traceId })
    this.links = [...links]
    this.status = { _tag: "Started", startTime: 0n }
  }

  end(endTime: bigint, exit: Exit.Exit<unknown, unknown>): void {
    this.status = { _tag: "Ended", startTime: 0n, endTime, exit }
  }

  attribute(key: string, value: unknown): void {
    this.attributes.set(key, value)
  }

  event(): void {}

  addLinks(links: ReadonlyArray<Tracer.SpanLink>): void {
    this.links.push(...links)
  }
}

const collecting = () => {
  const spans: Array<CollectedSpan> = []
  const tracer = Tracer.make({
    span: (name, parent, context, links, _startTime, kind) => {
      const span = new CollectedSpan(`${spans.length}`, name, parent, context, links, kind)
      spans.push(span)
      return span
    },
    context: (f) => f()
  })
  const named = (name: string) => spans.filter((span) => span.name === name)
  const parentOf = (span: CollectedSpan | undefined) => Option.getOrUndefined(span?.parent ?? Option.none())?.spanId
  const linksOf = (span: CollectedSpan | undefined) => span?.links.map((link) => link.span.spanId)
  const hit = (name: string) => named(name)[0]?.attributes.get("cache.hit")
  return { spans, named, parentOf, linksOf, hit, traced: Effect.withTracer(tracer) }
}

const networkRig = Effect.gen(function* () {
  const { scope } = yield* memoryRig
  return yield* rig(asyncStore(yield* memoryStore), scope)
})

for (const [place, made] of [
  ["in this process", memoryRig],
  ["behind a network", networkRig]
] as const) {
  describe(`spans, ${place}`, () => {
    it.scoped("a computation is a child of the span that started it; who joins it has a link to it", () =>
      Effect.gen(function* () {
        const { provide } = yield* made
        const { named, parentOf, linksOf, hit, traced } = collecting()
        const gate = yield* Deferred.make<void>()
        const value = cached(Effect.as(Deferred.await(gate), "value"), { key: "value" })
        const call = (name: string) => Effect.fork(traced(Effect.withSpan(provide(value), name)))
        const fibers = [yield* call("first"), yield* call("second")]
        yield* Effect.repeatN(Effect.yieldNow(), 50)
        fibers.push(yield* call("third"))
        yield* Effect.repeatN(Effect.yieldNow(), 50)
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(Fiber.all(fibers))
        const computing = named("cache.compute")
        assert.strictEqual(computing.length, 1)
        assert.strictEqual(parentOf(computing[0]), named("first")[0]?.spanId)
        assert.deepStrictEqual(linksOf(named("first")[0]), [])
        for (const joined of ["second", "third"]) {
          assert.deepStrictEqual(linksOf(named(joined)[0]), [computing[0]?.spanId ?? ""], joined)
          assert.strictEqual(parentOf(named(joined)[0]), undefined)
        }
        assert.deepStrictEqual(["first", "second", "third"].map(hit), [false, false, false])
      })
    )

    it.scoped("a computation in the background is a root span with a link to the span that started it", () =>
      Effect.gen(function* () {
        const { provide, flights } = yield* made
        const { spans, named, parentOf, linksOf, hit, traced } = collecting()
        let begun = 0
        const value = cached(
          Effect.suspend(() => Effect.delay(Effect.succeed(++begun), "1 second")),
          { key: "value", ttl: "1 minute", stale: "1 hour", revalidate: "background", groups: ["group"] }
        )
        const first = yield* Effect.fork(provide(value))
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(first)
        yield* TestClock.adjust("2 minutes")
        assert.strictEqual(yield* traced(Effect.withSpan(provide(value), "starts")), 1)
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(flights(), 0)
        assert.strictEqual(yield* traced(Effect.withSpan(provide(value), "later")), 2)
        const computing = named("cache.compute")
        assert.strictEqual(computing.length, 1)
        assert.strictEqual(parentOf(computing[0]), undefined)
        assert.notStrictEqual(computing[0]?.traceId, named("starts")[0]?.traceId)
        assert.deepStrictEqual(linksOf(computing[0]), [named("starts")[0]?.spanId ?? ""])
        assert.deepStrictEqual([hit("starts"), hit("later")], [true, true])
        // No span ends after its parent.
        for (const span of spans) {
          assert.strictEqual(span.status._tag, "Ended")
          const parent = spans.find(({ spanId }) => spanId === parentOf(span))
          if (span.status._tag !== "Ended" || parent?.status._tag !== "Ended") continue
          assert.isTrue(span.status.endTime <= parent.status.endTime, `${span.name} in ${parent.name}`)
        }
      })
    )

    it.scoped("cache.hit tells whether a call was answered from the cache", () =>
      Effect.gen(function* () {
        const { provide, service } = yield* made
        const { hit, traced } = collecting()
        const value = cached((n: number) => Effect.succeed(n), { key: "value", ttl: "1 minute", stale: 0 })
        const call = (name: string, effect: Effect.Effect<unknown, unknown>) =>
          Effect.exit(traced(Effect.withSpan(effect, name)))
        yield* call("miss", provide(value(1)))
        yield* call("hit", provide(value(1)))
        yield* call(
          "generator",
          provide(
            Effect.gen(function* () {
              return yield* value(1)
            })
          )
        )
        yield* call("get nothing", service.get("nothing"))
        yield* call("get", service.get(value.cacheKey(1)))
        yield* call("require", provide(value.requireCache(1)))
        yield* call("require nothing", provide(value.requireCache(2)))
        yield* TestClock.adjust("2 minutes")
        yield* call("expired", provide(value(1)))
        const names = ["miss", "hit", "generator", "get nothing", "get", "require", "require nothing", "expired"]
        assert.deepStrictEqual(names.map(hit), [false, true, true, false, true, true, false, false])
      })
    )
  })
}

it.scoped("without a tracer no span is told anything", () =>
  Effect.gen(function* () {
    const { provide } = yield* memoryRig
    const value = cached(Effect.succeed(1), { key: "value" })
    const span = yield* provide(Effect.zipRight(Effect.zipRight(value, value), Effect.currentSpan)).pipe(
      Effect.withSpan("caller")
    )
    assert.isFalse(span.attributes.has("cache.hit"))
  })
)
