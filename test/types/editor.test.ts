/** What an editor tells: of a memoized function, and where something is wrong. As TypeScript's language service tells it. */
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import ts from "typescript"

const root = fileURLToPath(new URL("../..", import.meta.url))
const fileOf = (name: string) => fileURLToPath(new URL(`${name}.ts`, import.meta.url))

const hovered = `
import { type Effect } from "effect"
import { type Request, type RequestResolver } from "effect"
import { CacheBackend, type CacheBackendService, cached, cachedMany, cachedResolver } from "effect-cached"

interface Row { readonly id: number }
declare class NotFound { readonly _tag: "NotFound" }
declare class Repo { readonly find: () => void }

declare const load: (id: number, locale: string) => Effect.Effect<Row, NotFound, Repo>
declare function loadOf(this: { readonly table: string }, id: number): Effect.Effect<Row>

export const byId = cached(load, { key: "row" })
export const piped = cached({ key: "row" })(load)
export const method = cached(loadOf, { key: "row" })
export const report = cached(load(1, "pt"), { key: "report" })

declare class Sessions extends CacheBackend.Tag("Sessions")<Sessions>() {}
declare const cache: CacheBackendService
export const named = cached(load, { key: "row", backend: Sessions })
export const called = named(1, "pt")
export const own = cache.cached(load, { key: "row" })
export const ownReport = cache.cached(load(1, "pt"), { key: "report" })

declare const loadMany: (ids: ReadonlyArray<number>) => Effect.Effect<ReadonlyMap<number, Row>, NotFound, Repo>
export const byIds = cachedMany(loadMany, { key: "row" })
export const byIdsCalled = byIds([1])
export const byIdsNamed = cachedMany(loadMany, { key: "row", backend: Sessions })
export const byIdsOwn = cache.cachedMany(loadMany, { key: "row" })
interface RowOf extends Request.Request<Row, NotFound> { readonly id: number }
declare const resolver: RequestResolver.RequestResolver<RowOf>
export const rows = cachedResolver(resolver, { key: "row" })
`

const scopedForms = [
  "cached(query, { key })",
  "cached(() => query, { key })",
  "query.pipe(cached({ key }))",
  'getOrSet("a", query)'
]

const formsOf = (forms: ReadonlyArray<string>) =>
  forms.map((form, index) => `export const form${index} = ${form}`).join("\n")

const scoped = `
import { Effect, type Scope } from "effect"
import { cached, getOrSet } from "effect-cached"
declare const query: Effect.Effect<number, never, Scope.Scope>
const key = "a"
${formsOf(scopedForms)}`

const wrongForms = [
  'cached(f, { key: "a", backend: Other })',
  'cached({ key: "a", backend: Other })(f)',
  'effect.pipe(cached({ key: "a", backend: Other }))',
  'cached(effect, { key: "a", backend: "Sessions" })',
  'cache.cached(f, { key: "a", backend: Sessions })',
  'cache.cached(effect, { key: "a", backend: Sessions })',
  'cache.cached({ key: "a", backend: Sessions })(f)'
]

const wrongCaches = `
import { Context, Effect } from "effect"
import { CacheBackend, type CacheBackendService, cached } from "effect-cached"
class Sessions extends CacheBackend.Tag("Sessions")<Sessions>() {}
class Other extends Context.Tag("Other")<Other, number>() {}
declare const cache: CacheBackendService
declare const f: (id: number) => Effect.Effect<number>
declare const effect: Effect.Effect<number>
export const right = cached(f, { key: "a", backend: Sessions })
${formsOf(wrongForms)}`

const sources = new Map(Object.entries({ hovered, scoped, wrongCaches }).map(([name, text]) => [fileOf(name), text]))

/** One for all: to read Effect's types takes most of the time. */
const makeEditor = () => {
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
  return ts.createLanguageService({
    getCompilationSettings: () => options,
    getScriptFileNames: () => [...sources.keys()],
    getScriptVersion: () => "1",
    getScriptSnapshot: (path) => {
      const text = sources.get(path) ?? ts.sys.readFile(path)
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text)
    },
    getCurrentDirectory: () => root,
    getDefaultLibFileName: ts.getDefaultLibFilePath,
    fileExists: ts.sys.fileExists,
    readFile: ts.sys.readFile
  })
}
const editor = makeEditor()

describe("an editor shows", () => {
  it("what a memoized function takes and gives, and its `this` last", () => {
    const file = fileOf("hovered")
    assert.deepStrictEqual(editor.getSemanticDiagnostics(file), [])
    const shown = (name: string) =>
      ts.displayPartsToString(
        editor.getQuickInfoAtPosition(file, hovered.indexOf(`const ${name} `) + "const ".length)?.displayParts
      )
    const ofById = "CachedFunction<[id: number, locale: string], Row, NotFound, Repo, unknown>"
    assert.strictEqual(shown("byId"), `const byId: ${ofById}`)
    assert.strictEqual(shown("piped"), `const piped: ${ofById}`)
    assert.strictEqual(
      shown("method"),
      "const method: CachedFunction<[id: number], Row, never, never, {\n    readonly table: string;\n}>"
    )
    assert.strictEqual(shown("report"), "const report: CachedEffect<Row, NotFound, Repo>")
    const inSessions = "CachedFunctionOf<Sessions, [id: number, locale: string], Row, NotFound, Repo, unknown>"
    assert.strictEqual(shown("named"), `const named: ${inSessions}`)
    assert.strictEqual(shown("called"), "const called: Effect.Effect<Row, NotFound, Repo | Sessions>")
    assert.strictEqual(shown("own"), `const own: ${inSessions.replace("Sessions", "never")}`)
    assert.strictEqual(shown("ownReport"), "const ownReport: CachedEffectOf<never, Row, NotFound, Repo>")
    assert.strictEqual(shown("byIds"), "const byIds: CachedManyFunction<number, Row, NotFound, Repo>")
    assert.strictEqual(
      shown("byIdsCalled"),
      "const byIdsCalled: Effect.Effect<ReadonlyMap<number, Row>, NotFound, Repo | CacheBackend>"
    )
    assert.strictEqual(
      shown("byIdsNamed"),
      "const byIdsNamed: CachedManyFunctionOf<Sessions, number, Row, NotFound, Repo>"
    )
    assert.strictEqual(shown("byIdsOwn"), "const byIdsOwn: CachedManyFunctionOf<never, number, Row, NotFound, Repo>")
    assert.strictEqual(
      shown("rows"),
      "const rows: Effect.Effect<RequestResolver.RequestResolver<RowOf, never>, never, CacheBackend>"
    )
  })

  it("what to do about a computation that requires Scope", () => {
    const errors = editor
      .getSemanticDiagnostics(fileOf("scoped"))
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"))
    assert.strictEqual(errors.length, scopedForms.length, errors.join("\n\n"))
    for (const error of errors) assert.include(error, "the computation requires Scope: wrap it in Effect.scoped")
  })

  it("which option names a cache that is none", () => {
    const lineOf = (start: number) => wrongCaches.slice(wrongCaches.lastIndexOf("\n", start))
    const errors = editor
      .getSemanticDiagnostics(fileOf("wrongCaches"))
      .map(({ messageText, relatedInformation = [], start = 0 }) => ({
        form: Number(/form(\d+) =/.exec(lineOf(start))?.[1]),
        says: [{ messageText }, ...relatedInformation]
          .map((part) => ts.flattenDiagnosticMessageText(part.messageText, "\n"))
          .join("\n")
      }))
    for (const [index, form] of wrongForms.entries()) {
      assert.isTrue(
        errors.some((error) => error.form === index && /'backend'/.test(error.says)),
        `${form}\n${errors.map(({ says }) => says).join("\n\n")}`
      )
    }
    assert.isTrue(errors.every(({ form }) => form in wrongForms))
  })
})
