/** Which calls share an entry. */
import { expect } from "@effect/vitest"
import { Data, Effect, Exit, Fiber, PrimaryKey, TestClock } from "effect"
import { asCached, type CacheBackend, CacheError, cached, getOrSet } from "effect-cached"
import { ground, held, type It, waiting } from "./ground.js"

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

class User {
  constructor(readonly id: string) {}
  [PrimaryKey.symbol]() {
    return this.id
  }
}

class Order {
  constructor(readonly id: string) {}
  [PrimaryKey.symbol] = () => this.id
}

const anonymous = () =>
  new (class {
    [PrimaryKey.symbol]() {
      return "7"
    }
  })()

export const keyTests = (it: It): void => {
  it.effect("an index that `map` and `Effect.forEach` add is no part of the key", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let runs = 0
      const f = cached((id: number) => Effect.sync(() => `${id} ${++runs}`), { key: key("f") })
      const ids = [7, 8, 9]
      const first = ["7 1", "8 2", "9 3"]
      expect(yield* Effect.forEach(ids, f)).toStrictEqual(first)
      expect(yield* Effect.forEach([9, 8, 7], f)).toStrictEqual(first.toReversed())
      expect(yield* Effect.all(ids.map(f))).toStrictEqual(first)
      expect(yield* Effect.forEach(ids, (id) => f(id))).toStrictEqual(first)
      expect(yield* Effect.forEach(ids, f.requireCache)).toStrictEqual(first)
      expect(yield* Effect.all(ids.map(f.requireCache))).toStrictEqual(first)
      expect(ids.map(f.cacheKey)).toStrictEqual(ids.map((id) => `${key("f")}(${id})`))
      yield* Effect.forEach([9, 8, 7], f.invalidate)
      expect(yield* Effect.forEach(ids, (id) => f(id))).toStrictEqual(["7 4", "8 5", "9 6"])
      yield* Effect.all(ids.map(f.invalidate))
      expect(yield* Effect.forEach(ids, f)).toStrictEqual(["7 7", "8 8", "9 9"])
      expect(yield* Effect.forEach(ids, f.forceRecalc)).toStrictEqual(["7 10", "8 11", "9 12"])
      expect(yield* Effect.forEach(ids, (id) => f(id))).toStrictEqual(["7 10", "8 11", "9 12"])
    })
  )

  it.effect("so it is for a function without parameters, a method and an object that is taken apart", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let runs = 0
      const none = cached(() => Effect.sync(() => ++runs), { key: key("none") })
      expect(yield* Effect.forEach(["a", "b"], none)).toStrictEqual([1, 1])
      expect(none.cacheKey()).toBe(`${key("none")}()`)
      class Cities {
        @cached({ key: key("Cities.bySlug") })
        bySlug(slug: string): Effect.Effect<string, never, CacheBackend> {
          return Effect.sync(() => `${slug} ${++runs}`)
        }
      }
      const cities = new Cities()
      expect(yield* Effect.forEach(["a", "b"], cities.bySlug)).toStrictEqual(["a 2", "b 3"])
      expect(yield* Effect.forEach(["b", "a"], cities.bySlug)).toStrictEqual(["b 3", "a 2"])
      yield* Effect.forEach(["b", "a"], asCached(cities.bySlug).invalidate)
      expect(yield* cities.bySlug("a")).toBe("a 4")
      const page = cached(({ n, of = 1 }: { n: number; of?: number }) => Effect.sync(() => `${n} of ${of} ${++runs}`), {
        key: key("page")
      })
      expect(yield* Effect.forEach([{ n: 1 }, { n: 1, of: 2 }], page)).toStrictEqual(["1 of 1 5", "1 of 2 6"])
      expect(yield* page({ n: 1, of: 2 })).toBe("1 of 2 6")
    })
  )

  it.effect("arguments that a function may see all make the key: defaults, rest, `arguments`, bound functions", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const sum = (numbers: ReadonlyArray<number>) => Effect.succeed(numbers.reduce((left, right) => left + right, 0))
      const functions: ReadonlyArray<(...numbers: Array<number>) => Effect.Effect<number>> = [
        (a: number, b = 0, c = 0) => sum([a, b, c]),
        (...all: ReadonlyArray<number>) => sum(all),
        (a: number, ...rest: ReadonlyArray<number>) => sum([a, ...rest]),
        function (a) {
          // biome-ignore lint/complexity/noArguments: it is what is tested
          return sum([a ?? 0, ...[...arguments].slice(1)])
        },
        ((offset: number, ...rest: ReadonlyArray<number>) => sum([offset, ...rest])).bind(undefined, 0),
        Effect.fn("f")(function* (a: number, b: number = 0, c: number = 0) {
          return yield* sum([a, b, c])
        })
      ]
      for (const [index, f] of functions.entries()) {
        const g = cached(f, { key: key(`f${index}`) })
        for (let round = 0; round < 2; round++) {
          expect([yield* g(1), yield* g(1, 2), yield* g(1, 2, 3)]).toStrictEqual([1, 3, 6])
        }
        yield* g.invalidate(1, 2)
        expect(yield* Effect.isSuccess(g.requireCache(1, 2, 3))).toBe(true)
        expect(yield* Effect.isSuccess(g.requireCache(1, 2))).toBe(false)
      }
    })
  )

  it.effect("separates a value that keyArgs returns from an array of it, and parts from an array of them", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let runs = 0
      const f = cached((_: unknown) => Effect.sync(() => ++runs), { key: key("f"), keyArgs: (q) => q })
      // biome-ignore lint/suspicious/noSparseArray: holes are what is printed
      const picked = ["x", ["x"], [["x"]], ["x", "y"], [["x", "y"]], [], [[]], undefined, [undefined], [, "y"], "x,y"]
      for (const [index, part] of picked.entries()) expect(yield* f(part)).toBe(index + 1)
      for (const [index, part] of picked.entries()) expect(yield* f(part)).toBe(index + 1)
      expect(["x", ["x"], ["x", "y"], []].map(f.cacheKey)).toStrictEqual(
        ['("x")', '(["x"])', '("x","y")', "()"].map((args) => `${key("f")}${args}`)
      )
    })
  )

  it.effect("separates two classes with one PrimaryKey, and refuses those that can't be told apart", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let runs = 0
      const f = cached((_: unknown) => Effect.sync(() => ++runs), { key: key("f") })
      const tagged = { _tag: "User", [PrimaryKey.symbol]: () => "7" }
      const owners = [
        new User("7"),
        new Order("7"),
        new Customer({ id: "7" }),
        tagged,
        { [PrimaryKey.symbol]: () => "7" }
      ]
      for (const [index, owner] of owners.entries()) expect(yield* f(owner)).toBe(index + 1)
      for (const [index, owner] of owners.entries()) expect(yield* f(owner)).toBe(index + 1)
      expect(yield* f(new User("7"))).toBe(1)
      expect(yield* Effect.flip(f.invalidate(anonymous()))).toMatchObject({
        reason: "InvalidKey",
        description: expect.stringContaining("_tag")
      })
    })
  )

  it.effect("keyArgs, groups and ttl are called with the method's `this`", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      let runs = 0
      const service = (tenant: string) => ({
        tenant,
        hours: tenant.length,
        bySlug: cached(
          function (this: { readonly tenant: string; readonly hours: number }, slug: string) {
            return Effect.sync(() => `${this.tenant} ${slug} ${++runs}`)
          },
          {
            key: key("bySlug"),
            keyArgs: function (slug) {
              return [this.tenant, slug]
            },
            groups: function () {
              return [key(this.tenant)]
            },
            ttl: function (value) {
              expect(value).toContain(this.tenant)
              return `${this.hours} hours`
            }
          }
        )
      })
      const [acme, umbrella] = [service("acme"), service("umbrella")]
      const { bySlug } = acme
      expect(yield* acme.bySlug("a")).toBe("acme a 1")
      expect(yield* umbrella.bySlug("a")).toBe("umbrella a 2")
      expect(yield* bySlug.call(umbrella, "a")).toBe("umbrella a 2")
      expect(bySlug.cacheKey.call(acme, "a")).toBe(`${key("bySlug")}("acme","a")`)
      expect(yield* bySlug.requireCache.call(umbrella, "a")).toBe("umbrella a 2")
      yield* bySlug.invalidate.call(acme, "a")
      expect(yield* umbrella.bySlug("a")).toBe("umbrella a 2")
      expect(yield* acme.bySlug("a")).toBe("acme a 3")
      expect(yield* bySlug.forceRecalc.call(acme, "a")).toBe("acme a 4")
      yield* cache.invalidateGroup(key("umbrella"))
      expect(yield* acme.bySlug("a")).toBe("acme a 4")
      expect(yield* umbrella.bySlug("a")).toBe("umbrella a 5")
    })
  )

  it.effect("so they are for a decorated method, whose operations are bound", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let runs = 0
      class Cities {
        constructor(readonly tenant: string) {}

        @cached({
          key: key("Cities.bySlug"),
          keyArgs: function (this: Cities, slug: string) {
            return [this.tenant, slug]
          },
          groups: function (this: Cities) {
            return [key(this.tenant)]
          }
        })
        bySlug(slug: string): Effect.Effect<string, never, CacheBackend> {
          return Effect.sync(() => `${this.tenant} ${slug} ${++runs}`)
        }
      }
      const [acme, umbrella] = [new Cities("acme"), new Cities("umbrella")]
      expect(yield* Effect.forEach(["a"], acme.bySlug)).toStrictEqual(["acme a 1"])
      expect(yield* umbrella.bySlug("a")).toBe("umbrella a 2")
      expect(asCached(acme.bySlug).cacheKey("a")).toBe(`${key("Cities.bySlug")}("acme","a")`)
      yield* Effect.forEach(["a"], asCached(acme.bySlug).invalidate)
      expect(yield* asCached(umbrella.bySlug).requireCache("a")).toBe("umbrella a 2")
      expect(yield* asCached(umbrella.bySlug).forceRecalc("a")).toBe("umbrella a 3")
      expect(yield* acme.bySlug("a")).toBe("acme a 4")
    })
  )

  it.effect("invalidate needs no `this` for groups that are a function", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let runs = 0
      const service = {
        group: key("group"),
        f: cached(
          function (this: { readonly group: string }, id: number) {
            return Effect.sync(() => `${id} ${++runs}`)
          },
          {
            key: key("f"),
            groups: function () {
              return [this.group]
            }
          }
        )
      }
      expect(yield* service.f(1)).toBe("1 1")
      yield* service.f.invalidate(1)
      expect(yield* service.f(1)).toBe("1 2")
    })
  )

  for (const [what, keyArgs] of [
    ["an argument", {}],
    ["what keyArgs reads", { keyArgs: (context: { tenant: string }) => context.tenant }]
  ] as const) {
    it.effect(`${what}, changed while it computes: the value is stored under no key, and nobody else gets it`, () =>
      Effect.gen(function* () {
        const { cache, key } = yield* ground
        const callers = yield* waiting(cache)
        const gate = yield* held(undefined)
        let runs = 0
        const docs = cached(
          (context: { tenant: string }) =>
            Effect.suspend(() =>
              ++runs === 1
                ? Effect.map(gate.effect, () => `documents of ${context.tenant}`)
                : Effect.sync(() => `documents of ${context.tenant}`)
            ),
          { key: key("docs"), ...keyArgs }
        )
        const context = { tenant: "acme" }
        const first = yield* Effect.fork(docs(context))
        yield* gate.begun
        const others = yield* Effect.forEach([1, 2, 3], () => Effect.fork(docs({ tenant: "acme" })))
        const same = yield* Effect.fork(docs(context))
        yield* callers(5)
        context.tenant = "umbrella"
        yield* gate.letGo
        expect(yield* Fiber.join(first)).toBe("documents of umbrella")
        for (const other of others) expect(yield* Fiber.join(other)).toBe("documents of acme")
        expect(yield* Fiber.join(same)).toBe("documents of umbrella")
        expect(yield* docs({ tenant: "acme" })).toBe("documents of acme")
        expect(yield* docs({ tenant: "umbrella" })).toBe("documents of umbrella")
      })
    )
  }

  it.effect("a key of getOrSet that is changed while it computes stores nothing", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const asked = [key("docs"), "acme"]
      const documents = Effect.sync(() => {
        asked[1] = "umbrella"
        return "documents of umbrella"
      })
      expect(yield* getOrSet(asked, documents)).toBe("documents of umbrella")
      expect(yield* cache.has([key("docs"), "acme"])).toBe(false)
      expect(yield* cache.has([key("docs"), "umbrella"])).toBe(false)
    })
  )

  it.effect("a stale value stays where its recomputation changed the arguments; a forced one removes it", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const context = { tenant: "acme" }
      let changes = false
      const docs = cached(
        (of: { tenant: string }) =>
          Effect.sync(() => {
            if (changes) of.tenant = "umbrella"
            return `documents of ${of.tenant}`
          }),
        { key: key("docs"), ttl: "10 seconds", stale: "1 hour" }
      )
      expect(yield* docs(context)).toBe("documents of acme")
      yield* TestClock.adjust("11 seconds")
      changes = true
      expect(yield* docs(context)).toBe("documents of umbrella")
      expect(yield* docs.requireCache({ tenant: "acme" })).toBe("documents of acme")
      expect(yield* docs.forceRecalc({ tenant: "acme" })).toBe("documents of umbrella")
      expect(yield* Effect.flip(docs.requireCache({ tenant: "acme" }))).toMatchObject({ _tag: "NoCachedValue" })
      expect(yield* cache.has(docs.cacheKey({ tenant: "umbrella" }))).toBe(false)
    })
  )

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
        const failures = [Effect.asVoid(f.requireCache("a", argument)), f.invalidate("a", argument)]
        for (const failure of failures) expect(yield* Effect.flip(failure)).toMatchObject({ reason: "InvalidKey" })
        expect(() => f.cacheKey("a", argument)).toThrow(CacheError)
      }
      expect(runs).toBe(0)
    })
  )
}
