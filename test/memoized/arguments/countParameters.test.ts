/** How many arguments a function sees, as its text tells. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import ts from "typescript"
import { countParameters } from "../../../src/internal/memoized/arguments/countParameters.js"

type AnyFunction = (this: unknown, ...args: ReadonlyArray<unknown>) => unknown

/** The function that the text is, as it stands: no compiler rewrites it. */
const fromText = (text: string): AnyFunction => new Function(`return ${text}`)()

const methodFromText = (text: string, name = "m"): AnyFunction => fromText(`({ ${text} })[${JSON.stringify(name)}]`)

describe("the parameters are counted", () => {
  const counted: ReadonlyArray<readonly [string, number]> = [
    ["() => 1", 0],
    ["a => a", 1],
    ["async a => a", 1],
    ["async => 1", 1],
    ["größe => größe", 1],
    ["(a) => a", 1],
    ["(a,) => a", 1],
    ["(a, b) => a", 2],
    ["async (a, b, c) => a", 3],
    ["function () {}", 0],
    ["function (a) { return (b, c) => b }", 1],
    ["function named(a, b) {}", 2],
    ["function* (a) {}", 1],
    ["function*named(a) {}", 1],
    ["async function named (a, b) {}", 2],
    ["async function*(a) {}", 1],
    ["({ slug, locale }) => slug", 1],
    ["({ slug, locale = 'en' }, [a, ...b]) => slug", 2],
    ["({ a = ')', b = \"(\", c = `,`, d = '\\')' }, e) => a", 2],
    ["({ a = (1, 2), b = [3, 4], ...rest }, e) => a", 2],
    ["({ a: { b: [c = { d: 1 }] } }) => c", 1],
    ["(a /* , b = 1 */, // ), ...c\n d) => a", 2],
    ["(\n  a,\n  b\n) => a", 2]
  ]

  for (const [text, count] of counted) {
    it(text, () => {
      const f = fromText(text)
      assert.strictEqual(countParameters(f), count)
      assert.strictEqual(f.length, count)
    })
  }

  const methods: ReadonlyArray<readonly [string, number, string?]> = [
    ["m(a, b) {}", 2],
    ["async m(a) {}", 1],
    ["*m(a) {}", 1],
    ["async *m(a) {}", 1],
    ["async(a) {}", 1, "async"],
    ["get(a) {}", 1, "get"],
    ["function(a) {}", 1, "function"]
  ]

  for (const [text, count, name] of methods) {
    it(`{ ${text} }`, () => assert.strictEqual(countParameters(methodFromText(text, name)), count))
  }

  it("of a class's methods", () => {
    const Cities = fromText("class { static of(a) {} async bySlug(slug, { page = 1 }) {} }") as unknown as {
      readonly of: AnyFunction
      readonly prototype: { readonly bySlug: AnyFunction }
    }
    assert.strictEqual(countParameters(Cities.of), 1)
    assert.strictEqual(countParameters(Cities.prototype.bySlug), 2)
  })
})

describe("the count is not known", () => {
  const unknown: ReadonlyArray<string> = [
    "(a, b = 3) => a",
    "(a = 1) => a",
    "(a, { b } = {}) => a",
    "(...args) => args",
    "(a, ...rest) => rest",
    "function (a) { return arguments.length }",
    "function (a) { return eval('argu' + 'ments').length }",
    "function (a) { return (() => arguments[1])() }",
    "({ a = /[)]/ }) => a",
    "({ a = 4 / 2 }) => a",
    "({ a = `$" + "{1}` }) => a",
    "(function (a, b) { return b }).bind(undefined)",
    "(function (a, b) { return b }).bind(undefined, 1)",
    "Math.max",
    "new Proxy((a) => a, {})",
    "class { constructor(a) {} }",
    "function /* of what */ named(a) {}"
  ]

  for (const text of unknown) it(text, () => assert.isUndefined(countParameters(fromText(text))))

  it("of methods whose name is computed", () => {
    assert.isUndefined(countParameters(methodFromText('["m" + (1, 2)](a) {}', "m2")))
    assert.isUndefined(countParameters(methodFromText('"a (b, c)"(a) {}', "a (b, c)")))
  })

  it("of functions of Effect.fn, whose `length` is that of the generator", () => {
    const f: AnyFunction = Effect.fn("f")(function* (_a: unknown, _b: unknown = 3) {
      return yield* Effect.void
    })
    assert.isUndefined(countParameters(f))
  })

  it("where `length` was changed, it is not believed", () => {
    const f = (_a: unknown, ..._rest: ReadonlyArray<unknown>) => 1
    assert.isUndefined(countParameters(Object.defineProperty(f, "length", { value: 2 })))
  })
})

describe("what a compiler made of it", () => {
  const sources = [
    "(a, b = 3) => [a, b]",
    "(a, ...rest) => [a, rest]",
    "(a, { b = 1 } = {}) => [a, b]",
    "async (a, b = 3) => [a, b]",
    "async function (a, ...rest) { return [a, rest] }",
    "function (a, b) { return [a, b] }",
    "({ a, ...others }, [b, c = 4]) => [a, others, b, c]",
    "async ({ a }, b) => [a, b]"
  ]
  const targets = [ts.ScriptTarget.ES5, ts.ScriptTarget.ES2015, ts.ScriptTarget.ES2017, ts.ScriptTarget.ES2022]

  for (const target of targets) {
    for (const source of sources) {
      it(`${ts.ScriptTarget[target]}: ${source}`, async () => {
        const { outputText } = ts.transpileModule(`export const f = ${source}`, {
          compilerOptions: { target, module: ts.ModuleKind.CommonJS, importHelpers: false }
        })
        const module = { exports: {} as { readonly f: AnyFunction } }
        new Function("exports", "module", outputText)(module.exports, module)
        const { f } = module.exports
        const count = countParameters(f)
        if (count === undefined || count !== f.length) return
        // Then no argument beyond them makes a difference.
        const args = [{ a: 1, z: 2 }, [3, 5], [6], [7]]
        assert.deepStrictEqual(await f(...args), await f(...args.slice(0, count)))
      })
    }
  }
})
