/** Which calls share an entry. */
import { expect } from "@effect/vitest"
import { Data, Effect, Exit, PrimaryKey } from "effect"
import { CacheError, cached } from "effect-cached"
import { ground, type It } from "./ground.js"

class Account {
  constructor(
    readonly id: number,
    readonly name: string
  ) {}
}

class Customer extends Data.Class<{ readonly id: string }> {
  [PrimaryKey.symbol]() {
    return this.id
  }
}

export const keyTests = (it: It): void => {
  it.effect("separates eight similar calls", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let runs = 0
      const f = cached((..._args: ReadonlyArray<unknown>) => Effect.sync(() => ++runs), { key: key("f") })
      const calls: ReadonlyArray<ReadonlyArray<unknown>> = [
        ["a b"],
        ["ab"],
        ["a", "b"],
        [["a", "b"]],
        [1],
        ["1"],
        [undefined],
        []
      ]
      for (const [index, args] of calls.entries()) expect(yield* f(...args)).toBe(index + 1)
      for (const [index, args] of calls.entries()) expect(yield* f(...args)).toBe(index + 1)
      expect(new Set(calls.map((args) => f.cacheKey(...args))).size).toBe(calls.length)
    })
  )

  it.effect("separates names from arguments", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const plain = cached(() => Effect.succeed("plain"), { key: key("f") })
      const effect = cached(Effect.succeed("effect"), { key: `${key("f")}()` })
      const tricky = cached((_: number) => Effect.succeed("tricky"), { key: `${key("f")}(1)` })
      expect(yield* plain()).toBe("plain")
      expect(yield* effect).toBe("effect")
      expect(yield* tricky(1)).toBe("tricky")
      expect(yield* plain()).toBe("plain")
    })
  )

  it.effect("gives structurally equal arguments one entry", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let runs = 0
      const f = cached((_: unknown) => Effect.sync(() => ++runs), { key: key("f") })
      expect(yield* f({ a: 1, b: [new Date(0), new Map([["x", 2n]])] })).toBe(1)
      expect(yield* f({ b: [new Date(0), new Map([["x", 2n]])], a: 1 })).toBe(1)
      expect(yield* f(new Customer({ id: "7" }))).toBe(2)
      expect(yield* f(new Customer({ id: "7" }))).toBe(2)
      expect(yield* f(new Customer({ id: "8" }))).toBe(3)
      expect(yield* f(0)).toBe(4)
      expect(yield* f(-0)).toBe(5)
    })
  )

  it.effect("separates long and hostile arguments", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let runs = 0
      const f = cached((_: string) => Effect.sync(() => ++runs), { key: key("f") })
      const texts = [
        "é".repeat(500),
        `${"é".repeat(499)}e`,
        "\0",
        "\n",
        "a\r\nb",
        '")',
        '","',
        "../",
        "%00",
        "x".repeat(5_000)
      ]
      for (const [index, text] of texts.entries()) expect(yield* f(text)).toBe(index + 1)
      for (const [index, text] of texts.entries()) expect(yield* f(text)).toBe(index + 1)
    })
  )

  it.effect("uses the part of the arguments that keyArgs picks", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let runs = 0
      const one = cached((account: Account, _log: () => void) => Effect.sync(() => `${account.name} ${++runs}`), {
        key: key("one"),
        keyArgs: (account) => account.id
      })
      expect(yield* one(new Account(1, "ann"), () => {})).toBe("ann 1")
      expect(yield* one(new Account(1, "bob"), () => {})).toBe("ann 1")
      expect(yield* one(new Account(2, "bob"), () => {})).toBe("bob 2")
      expect(one.cacheKey(new Account(1, "ann"), () => {})).toBe(`${key("one")}(1)`)
      yield* one.invalidate(new Account(1, "anyone"), () => {})
      expect(yield* one(new Account(1, "bob"), () => {})).toBe("bob 3")

      const several = cached((account: Account, page: number) => Effect.succeed([account.name, page]), {
        key: key("several"),
        keyArgs: (account, page) => [account.id, page]
      })
      expect(several.cacheKey(new Account(1, "ann"), 2)).toBe(`${key("several")}(1,2)`)
      expect(yield* several(new Account(1, "ann"), 2)).toStrictEqual(["ann", 2])
      expect(yield* several(new Account(1, "bob"), 2)).toStrictEqual(["ann", 2])
      expect(yield* several(new Account(1, "bob"), 3)).toStrictEqual(["bob", 3])
    })
  )

  it.effect("refuses an argument that can't be printed at the call, and computes nothing", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let runs = 0
      const f = cached((_name: string, _argument: unknown) => Effect.sync(() => ++runs), { key: key("f") })
      for (const argument of [() => 1, Symbol("a"), new Account(1, "ann"), { deep: [() => 1] }]) {
        for (const call of [f("a", argument), f.forceRecalc("a", argument)]) {
          const exit = yield* Effect.exit(call)
          const defect = Exit.isFailure(exit) && exit.cause._tag === "Die" ? exit.cause.defect : undefined
          expect(defect).toBeInstanceOf(CacheError)
          expect(defect).toMatchObject({
            reason: "InvalidKey",
            description: expect.stringMatching(/argument 2.*keyArgs/)
          })
        }
        const failures = [f.invalidate("a", argument), f.requireCache("a", argument)]
        for (const failure of failures) expect(yield* Effect.flip(failure)).toMatchObject({ reason: "InvalidKey" })
        expect(() => f.cacheKey("a", argument)).toThrow(CacheError)
      }
      expect(runs).toBe(0)
    })
  )
}
