/** Values that can't be encoded: told once a minute and function, with what to do, and counted apart from failures of the store. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, LogLevel, Metric, MetricState, Schema, TestClock } from "effect"
import { CacheBackend, cached, MemoryBackend, stats } from "effect-cached"
import { Said } from "../support/everythingSaid.js"

class Price {
  constructor(readonly cents: number) {}
}

const layer = MemoryBackend.layer({ copy: true })

const counterOf = (name: string, key: string) =>
  Effect.map(Metric.snapshot, (pairs) => {
    const found = pairs.find(
      ({ metricKey }) => metricKey.name === name && metricKey.tags.some((tag) => tag.key === "key" && tag.value === key)
    )
    return found !== undefined && MetricState.isCounterState(found.metricState) ? found.metricState.count : 0
  })

describe("a value that can't be encoded", () => {
  it.effect("is told once a minute for each function, with the path and with what to do", () => {
    const said = new Said()
    return Effect.gen(function* () {
      const offers = ["first", "second"].map((key) =>
        cached((id: number) => Effect.succeed({ items: [{ id, price: new Price(id) }] }), { key })
      )
      for (let id = 0; id < 50; id++) for (const offer of offers) yield* offer(id)
      expect(said.warnings).toHaveLength(2)
      for (const [index, name] of ["first", "second"].entries()) {
        expect(said.warnings[index]).toContain(`${name}(0)`)
        expect(said.warnings[index]).toContain("value.items[0].price is an instance of Price")
        expect(said.warnings[index]).toContain("schema")
      }
      yield* TestClock.adjust("61 seconds")
      yield* Effect.forEach(offers, (offer) => offer(50))
      expect(said.warnings).toHaveLength(4)
      expect(said.warnings[2]).toContain("and 49 more")
    }).pipe(Effect.provide(layer), Effect.provide(said.from(LogLevel.Info)))
  })

  it.effect("counts as refused, not as a failure of the store", () =>
    Effect.gen(function* () {
      const cache = yield* CacheBackend
      const price = cached((id: number) => Effect.succeed(new Price(id)), { key: "price" })
      yield* price(1)
      yield* price(1)
      yield* cache.getOrSet("key", Effect.succeed(new Price(1)))
      yield* Effect.flip(cache.set("key", new Price(1)))
      yield* cache.setMany([["key", new Price(1)]])
      expect(yield* stats).toMatchObject({ refused: 5, storeErrors: 0, stored: 0 })
      expect(yield* counterOf("effect_cached_refused_total", "price")).toBe(2)
      expect(yield* counterOf("effect_cached_store_errors_total", "price")).toBe(0)
    }).pipe(Effect.provide(layer))
  )

  it.effect("nor does a ttl that is no duration count as a failure of the store", () => {
    const said = new Said()
    return Effect.gen(function* () {
      // A program in JavaScript may return anything.
      const value = cached(() => Effect.succeed("s3cret"), { key: "ttl", ttl: (text) => text as "1 day" })
      const structured = cached(() => Effect.succeed({ a: 1 }), { key: "other", ttl: (object) => object as never })
      yield* value()
      expect(said.warnings).toHaveLength(1)
      expect(said.warnings[0]).toContain("ttl returned a string, which is not a duration")
      expect(said.quoting("s3cret")).toEqual([])
      yield* structured()
      expect(said.warnings[1]).toContain("ttl returned an object, which is not a duration")
      expect(yield* stats).toMatchObject({ refused: 2, storeErrors: 0, stored: 0 })
    }).pipe(Effect.provide(layer), Effect.provide(said.layer))
  })

  it.effect("is kept with a schema", () =>
    Effect.gen(function* () {
      const PriceSchema = Schema.transform(Schema.Number, Schema.instanceOf(Price), {
        decode: (cents) => new Price(cents),
        encode: ({ cents }) => cents,
        strict: true
      })
      const price = cached((cents: number) => Effect.succeed(new Price(cents)), { key: "price", schema: PriceSchema })
      yield* price(3)
      expect(yield* price.requireCache(3)).toEqual(new Price(3))
    }).pipe(Effect.provide(layer))
  )
})

describe("the error of a schema that refuses", () => {
  const secret = "s3cret"
  const Card = Schema.Struct({
    owner: Schema.Struct({ name: Schema.String }),
    number: Schema.String.pipe(
      Schema.pattern(/^\d{4}$/, { identifier: "CardNumber", message: ({ actual }) => `${actual} is no number` })
    ),
    notes: Schema.Record({ key: Schema.String, value: Schema.Number }),
    kind: Schema.Union(Schema.Literal("debit"), Schema.Literal("credit"))
  })
  const good = { owner: { name: "Ann" }, number: "1234", notes: {}, kind: "debit" as const }

  const warningOf = (value: unknown) => {
    const said = new Said()
    const card = cached(() => Effect.succeed(value as typeof Card.Type), { key: "card", schema: Card })
    return Effect.as(card(), said).pipe(Effect.provide(layer), Effect.provide(said.layer))
  }

  for (const [what, value, path, expected] of [
    ["pattern", { ...good, number: secret }, "value.number", "CardNumber"],
    ["type", { ...good, owner: { name: { secret } } }, "value.owner.name", "string"],
    ["part that is missing", { ...good, owner: { secret } }, "value.owner.name", "is missing"],
    ["record", { ...good, notes: { [`${secret}@mail`]: secret } }, "value.notes[…]", "number"],
    ["union", { ...good, kind: secret }, "value.kind", '"debit"'],
    ["value of another kind", secret, "value ", "is not the expected"]
  ] as const) {
    it.effect(`names the path and what was expected, and never the value: ${what}`, () =>
      Effect.gen(function* () {
        const said = yield* warningOf(value)
        expect(said.warnings).toHaveLength(1)
        expect(said.warnings[0]).toContain(path)
        expect(said.warnings[0]).toContain(expected)
        expect(said.quoting(secret)).toEqual([])
      })
    )
  }

  it.effect("a transformation that throws an error which quotes the value", () =>
    Effect.gen(function* () {
      const said = new Said()
      const Throwing = Schema.transform(Schema.String, Schema.String, {
        decode: (text) => text,
        encode: (text): string => {
          throw new TypeError(`can't take ${text}`)
        },
        strict: true
      })
      const value = cached(() => Effect.succeed(secret), { key: "throwing", schema: Throwing })
      expect(yield* value().pipe(Effect.provide(layer), Effect.provide(said.layer))).toBe(secret)
      expect(said.warnings).toHaveLength(1)
      expect(said.quoting("TypeError")).not.toEqual([])
      expect(said.quoting("refusedValues.test")).not.toEqual([])
      expect(said.quoting(secret)).toEqual([])
    })
  )
})
