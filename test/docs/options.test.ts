/** docs/options.md names every option, and says of each of `cached` and of all layers how to choose it. */
import { assert, it } from "@effect/vitest"
import ts from "typescript"
import { text } from "./pages.js"

const page = text("docs/options.md")

/** The part of the page under the heading, without deeper headings' end. */
const section = (title: string): string => {
  const depth = /^#+/.exec(title)?.[0].length ?? 0
  const begin = page.indexOf(`\n${title}\n`)
  assert.isAtLeast(begin, 0, title)
  const rest = page.slice(begin + title.length + 2)
  const end = rest.search(new RegExp(`^#{1,${depth}} `, "m"))
  return end < 0 ? rest : rest.slice(0, end)
}

/** The properties of the interfaces, as the compiler reads them. */
const optionsIn = (path: string, ...interfaces: ReadonlyArray<string>): ReadonlyArray<string> =>
  ts
    .createSourceFile(path, text(path), ts.ScriptTarget.Latest)
    .statements.filter(ts.isInterfaceDeclaration)
    .filter(({ name }) => interfaces.includes(name.text))
    .flatMap(({ members }) =>
      members.flatMap(({ name }) => (name !== undefined && ts.isIdentifier(name) ? [name.text] : []))
    )

/** The first column of the table of the section, where one row may name several. */
const rows = (part: string): ReadonlyArray<string> =>
  Array.from(part.matchAll(/^\| (`\w+`(?:, `\w+`)*) \|/gm), ([, names = ""]) => names)
    .flatMap((names) => names.split(", "))
    .map((name) => name.replaceAll("`", ""))

const headings = (part: string): ReadonlyArray<string> =>
  Array.from(part.matchAll(/^### `(\w+)`$/gm), ([, name = ""]) => name)

const generic: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
  [
    "## Options of `cached`",
    [
      ...optionsIn("src/CacheOptions.ts", "MemoOptions"),
      ...optionsIn("src/CachedFunction.ts", "CachedOptions"),
      ...optionsIn("src/cached.ts", "BackendOption")
    ]
  ],
  ["## Options of all layers", optionsIn("src/internal/backend/options.ts", "BackendOptions")],
  ["## Options of layers over a server", optionsIn("src/internal/backend/options.ts", "OutageOptions")]
]

it.each(generic)("%s: each is in the table, and has a paragraph that says how to choose it", (title, options) => {
  const part = section(title)
  assert.isAtLeast(options.length, 3)
  assert.sameMembers([...rows(part)], [...options])
  assert.deepStrictEqual(headings(part), rows(part))
  for (const option of options) {
    const paragraph = part.split(`### \`${option}\`\n`)[1]?.split("\n### ")[0] ?? ""
    assert.match(paragraph, /\*\*Choose\*\*/, option)
  }
})

const own: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
  ["### Many keys", optionsIn("src/CachedManyFunction.ts", "CachedManyOptions")],
  ["### Memory", optionsIn("src/MemoryBackend.ts", "MemoryBackendOptions")],
  ["### SQL", optionsIn("src/SqlBackend.ts", "SqlBackendOptions")],
  ["### Memcached", optionsIn("src/internal/stores/memcached/settings.ts", "MemcachedOptions")],
  ["### Redis", optionsIn("src/RedisBackend.ts", "RedisBackendOptions")],
  ["### Tier", optionsIn("src/TieredBackend.ts", "TieredBackendOptions")],
  ["### Compression", optionsIn("src/Compression.ts", "GzipOptions")],
  ["### Encryption", optionsIn("src/Encryption.ts", "AesGcmOptions")],
  ["### KeyValueStore", optionsIn("src/KeyValueStore.ts", "KeyValueStoreOptions")]
]

it.each(own)("%s: each of the backend's own options is in its table", (title, options) => {
  assert.isAtLeast(options.length, 1)
  assert.sameMembers([...rows(section(title))], [...options])
})
