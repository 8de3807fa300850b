/** Methods: `this` passes through and is no part of the key. Plainly assigned, or with a standard decorator. */
import { Console, Effect } from "effect"
import { asCached, type CacheBackend, cached, MemoryBackend } from "effect-cached"

class Rates {
  lookups = 0

  constructor(private readonly table: Readonly<Record<string, number>>) {}

  private lookUp(currency: string): Effect.Effect<number> {
    return Effect.sync(() => {
      this.lookups++
      return this.table[currency] ?? 1
    })
  }

  readonly toEuro = cached((currency: string) => this.lookUp(currency), { key: "Rates.toEuro", ttl: "1 hour" })

  // A decorator can't add a requirement to the method's type: it is declared.
  @cached({ key: "Rates.fromEuro", ttl: "1 hour" })
  fromEuro(currency: string): Effect.Effect<number, never, CacheBackend> {
    return Effect.map(this.lookUp(currency), (rate) => 1 / rate)
  }
}

const program = Effect.gen(function* () {
  const rates = new Rates({ USD: 0.8, CHF: 1.06 })
  yield* rates.toEuro("USD")
  yield* rates.toEuro("USD")
  yield* rates.fromEuro("USD")
  yield* rates.fromEuro("USD")
  yield* Console.log(`4 calls, ${rates.lookups} look-ups; 1 EUR = ${yield* rates.fromEuro("USD")} USD`)

  yield* rates.toEuro.invalidate("USD")
  yield* asCached(rates.fromEuro).invalidate("USD")
  yield* rates.toEuro("USD")
  yield* rates.fromEuro("USD")
  yield* Console.log(`after both invalidations: ${rates.lookups} look-ups`)
})

Effect.runPromise(program.pipe(Effect.provide(MemoryBackend.layer({ maxEntries: 10_000 }))))
