/** `@cached` where the compiler has `experimentalDecorators` on. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as library from "effect-cached"
import ts from "typescript"

/** Compiles the members of a class with TypeScript's older decorators, and defines the class. */
const define = (members: string): void => {
  const { outputText } = ts.transpileModule(`class Cities { ${members} }`, {
    compilerOptions: { experimentalDecorators: true, target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext }
  })
  new Function("cached", "Effect", outputText)(library.cached, Effect)
}

describe("@cached under experimentalDecorators", () => {
  for (const [kind, modifier] of [
    ["a method", ""],
    ["a static method", "static"]
  ] as const) {
    it(`on ${kind} says what to do`, () => {
      const decorated = `@cached({ key: "Cities.bySlug" }) ${modifier} bySlug(slug) { return Effect.succeed(slug) }`
      assert.throws(
        () => define(decorated),
        TypeError,
        /^@cached on bySlug .* remove `experimentalDecorators` from tsconfig/
      )
    })
  }

  it("a function made by `cached` needs no decorator", () => {
    define(`bySlug = cached(function (slug) { return Effect.succeed(slug) }, { key: "Cities.bySlug" })`)
  })
})

describe("from JavaScript, where the compiler does not", () => {
  for (const kind of ["getter", "field", "class"] as const) {
    it(`@cached refuses a ${kind}`, () => {
      const decorator = library.cached({ key: "f" }) as (target: unknown, context: unknown) => unknown
      const target = kind === "field" ? undefined : () => Effect.succeed(1)
      assert.throws(() => decorator(target, { kind, name: "f" }), TypeError, `@cached decorates methods, not a ${kind}`)
    })
  }

  for (const target of [undefined, 1, Promise.resolve(1)]) {
    it(`cached refuses ${target}`, () => {
      const cached = library.cached as unknown as (target: unknown, options: unknown) => unknown
      assert.throws(() => cached(target, { key: "f" }), TypeError, "cached takes an Effect, or a function")
    })
  }
})

it("cached(options) may be a callback of map, which gives it an index", () => {
  // To the compiler the index is no decorator context, hence the cast.
  const [double] = [(n: number) => Effect.succeed(n * 2)].map(library.cached({ key: "double" }) as never)
  assert.isFunction(double)
})
