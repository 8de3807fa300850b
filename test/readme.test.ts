/** What the README and the pages of docs/ say of the code: it compiles, it is exported, it is logged. */
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, it } from "@effect/vitest"
import * as root from "effect-cached"
import ts from "typescript"
import { complaintsAbout } from "./support/compile.js"

const project = fileURLToPath(new URL("..", import.meta.url))
const text = (path: string) => readFileSync(`${project}${path}`, "utf8")
const readme = text("README.md")
const manifest: {
  readonly exports: Readonly<Record<string, unknown>>
  readonly engines: { readonly node: string }
  readonly scripts: Readonly<Record<string, string>>
} = JSON.parse(text("package.json"))

const markdown = (folder: string) =>
  readdirSync(`${project}${folder}`)
    .filter((name) => name.endsWith(".md"))
    .map((name) => `${folder}${name}`)
const pages = [...markdown(""), ...markdown("docs/")]

it("the README's quick start is the example that the compiler has seen", () => {
  assert.include(readme, `\`\`\`ts\n${text("examples/readme.ts")}\`\`\``)
})

/** What the blocks of the pages name without a definition, as their readers would have it. */
const surroundings: Readonly<Record<string, string>> = {
  Effect: 'import { Effect } from "effect"',
  Layer: 'import { Layer } from "effect"',
  Redacted: 'import { Redacted } from "effect"',
  readFileSync: 'import { readFileSync } from "node:fs"',
  cached: 'import { cached } from "effect-cached"',
  afterCommit: 'import { afterCommit } from "effect-cached"',
  cachedMany: 'import { cachedMany } from "effect-cached"',
  cachedResolver: 'import { cachedResolver } from "effect-cached"',
  findCities: `declare const findCities: (slugs: ReadonlyArray<string>) => import("effect").Effect.Effect<ReadonlyArray<{
    readonly slug: string }>>`,
  NameOf:
    'class NameOf extends (await import("effect")).Request.TaggedClass("NameOf")<string, never, { readonly id: number }> {}',
  nameResolver: 'declare const nameResolver: import("effect").RequestResolver.RequestResolver<NameOf>',
  MemoryBackend: 'import { MemoryBackend } from "effect-cached"',
  NoopBackend: 'import { NoopBackend } from "effect-cached"',
  TieredBackend: 'import { TieredBackend } from "effect-cached"',
  SqlBackend: 'import * as SqlBackend from "effect-cached/SqlBackend"',
  MemcachedBackend: 'import * as MemcachedBackend from "effect-cached/MemcachedBackend"',
  RedisBackend: 'import * as RedisBackend from "effect-cached/RedisBackend"',
  PgBus: 'import * as PgBus from "effect-cached/PgBus"',
  PgClient: 'import { PgClient } from "@effect/sql-pg"',
  config: 'declare const config: { readonly url: import("effect").Config.Config<import("effect").Redacted.Redacted> }',
  program: 'declare const program: import("effect").Effect.Effect<number, never, import("effect-cached").CacheBackend>',
  buildReport: 'declare const buildReport: import("effect").Effect.Effect<{ readonly total: number }>',
  cityBySlug: 'declare const cityBySlug: import("effect-cached").CachedFunction<[slug: string], object, never, never>',
  sql: 'declare const sql: import("@effect/sql/SqlClient").SqlClient',
  update: 'declare const update: import("effect").Effect.Effect<void>',
  slug: "declare const slug: string",
  population: "declare const population: number",
  password: "declare const password: string"
}

/** A module of its own: what it names comes first. A block that yields is the body of a generator. */
const moduleOf = (block: string): string => {
  if (block.includes("import {")) return block
  const isBody = /^yield\*/m.test(block)
  const named = Object.entries({ ...surroundings }).filter(([name]) =>
    new RegExp(`(?<![.\\w])${name}\\b(?!:)`).test(isBody ? `Effect ${block}` : block)
  )
  const body = isBody ? `export const body = Effect.gen(function* () {\n${block}})\n` : block
  return `${named.map(([, line]) => line).join("\n")}\n${body}\nexport {}\n`
}

const blocks = pages.flatMap((page) =>
  Array.from(
    text(page).matchAll(/^```ts\n([\s\S]*?)^```/gm),
    ([, block = ""], index) => [`${page}.${index + 1}`, moduleOf(block)] as const
  )
)

const examples = readdirSync(`${project}src`)
  .filter((name) => name.endsWith(".ts"))
  .flatMap((name) =>
    Array.from(
      text(`src/${name}`).matchAll(/^ *\* @example\n((?: *\*(?! @|\/).*\n)+)/gm),
      ([, lines = ""], index) =>
        [`src/${name}.${index + 1}`, lines.replace(/^ *\* ?/gm, "").replaceAll("\\@", "@")] as const
    )
  )

it("every block of TypeScript in the README and in docs/ compiles, and every example in a doc comment", () => {
  assert.isAtLeast(blocks.length, 7)
  assert.isAtLeast(examples.length, 20)
  assert.deepStrictEqual(complaintsAbout(new Map([...blocks, ...examples])), [])
})

it("the README says of each module where it is imported from, and names what the root has", () => {
  const rows = new Map(
    Array.from(readme.matchAll(/^\| `(effect-cached[^`]*)` \| (.*) \|$/gm), ([, module = "", content = ""]) => [
      module,
      content
    ])
  )
  const modules = Object.keys(manifest.exports).filter((path) => path !== "./package.json")
  assert.sameMembers(
    [...rows.keys()],
    modules.map((path) => path.replace(".", "effect-cached"))
  )
  const named = Array.from((rows.get("effect-cached") ?? "").matchAll(/`(\w+)`/g), ([, name = ""]) => name)
  assert.includeMembers(named, ["cached", "MemoryBackend"])
  assert.includeMembers(Object.keys(root), named)
})

it("the README names the versions of Node that are promised and tested", () => {
  const [, lowest, tested] = /for Node only: ([\d.]+) and later, tested on ([\d, and\n]+)\./.exec(readme) ?? []
  assert.strictEqual(manifest.engines.node, `>=${lowest}.0`)
  const others = (manifest.scripts["test:nodes"] ?? "").match(/(?<=node@)\d+/g) ?? []
  assert.deepStrictEqual(tested?.match(/\d+/g), ["20", ...others])
})

/** The properties of the interfaces, as the compiler reads them. */
const optionsIn = (path: string, ...interfaces: ReadonlyArray<string>): ReadonlyArray<string> =>
  ts
    .createSourceFile(path, text(path), ts.ScriptTarget.Latest)
    .statements.filter(ts.isInterfaceDeclaration)
    .filter(({ name }) => interfaces.includes(name.text))
    .flatMap(({ members }) =>
      members.flatMap(({ name }) => (name !== undefined && ts.isIdentifier(name) ? [name.text] : []))
    )

it("the README names every option of `cached` and of the layers", () => {
  const ofCached = Array.from(readme.matchAll(/^\| `(\w+)` \|/gm), ([, name = ""]) => name)
  assert.includeMembers(ofCached, [
    ...optionsIn("src/CacheOptions.ts", "MemoOptions"),
    ...optionsIn("src/CachedFunction.ts", "CachedOptions")
  ])
  const layers = /^## Layers\n[\s\S]*?(?=^## )/m.exec(readme)?.[0] ?? ""
  assert.includeMembers(
    Array.from(layers.matchAll(/`(\w+)/g), ([, name = ""]) => name),
    [
      ...optionsIn("src/internal/backend/options.ts", "BackendOptions", "OutageOptions"),
      ...optionsIn("src/MemoryBackend.ts", "MemoryBackendOptions"),
      ...optionsIn("src/SqlBackend.ts", "SqlBackendOptions"),
      ...optionsIn("src/internal/stores/memcached/settings.ts", "MemcachedOptions"),
      ...optionsIn("src/RedisBackend.ts", "RedisBackendOptions"),
      ...optionsIn("src/TieredBackend.ts", "TieredBackendOptions"),
      ...optionsIn("src/Compression.ts", "GzipOptions"),
      ...optionsIn("src/Encryption.ts", "AesGcmOptions"),
      ...optionsIn("src/KeyValueStore.ts", "KeyValueStoreOptions")
    ]
  )
})

it("links between the pages lead somewhere", () => {
  const anchors = (page: string) =>
    Array.from(text(page).matchAll(/^#+ (.*)$/gm), ([, title = ""]) =>
      title
        .toLowerCase()
        .replace(/[^\w\- ]/g, "")
        .replaceAll(" ", "-")
    )
  const dead = pages.flatMap((page) =>
    Array.from(text(page).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g), ([, path = "", anchor]) => {
      const target = path === "" ? page : fileURLToPath(new URL(path, `file:///${page}`)).slice(1)
      if (target.endsWith(".md"))
        return anchor === undefined || anchors(target).includes(anchor) ? [] : [`${page}: ${path}#${anchor}`]
      return readdirSync(project).includes(target.split("/")[0] ?? "") ? [] : [`${page}: ${path}`]
    }).flat()
  )
  assert.deepStrictEqual(dead, [])
})
