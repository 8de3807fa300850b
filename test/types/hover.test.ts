/** What an editor shows of a memoized function, as TypeScript's language service tells it. */
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import ts from "typescript"

const root = fileURLToPath(new URL("../..", import.meta.url))
const file = fileURLToPath(new URL("hovered.ts", import.meta.url))

const source = `
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

const service = () => {
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
  return ts.createLanguageService({
    getCompilationSettings: () => options,
    getScriptFileNames: () => [file],
    getScriptVersion: () => "1",
    getScriptSnapshot: (path) => {
      const text = path === file ? source : ts.sys.readFile(path)
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text)
    },
    getCurrentDirectory: () => root,
    getDefaultLibFileName: ts.getDefaultLibFilePath,
    fileExists: ts.sys.fileExists,
    readFile: ts.sys.readFile
  })
}

describe("an editor shows", () => {
  it("what a memoized function takes and gives, and its `this` last", () => {
    const editor = service()
    assert.deepStrictEqual(editor.getSemanticDiagnostics(file), [])
    const shown = (name: string) =>
      ts.displayPartsToString(
        editor.getQuickInfoAtPosition(file, source.indexOf(`const ${name} `) + "const ".length)?.displayParts
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
})
