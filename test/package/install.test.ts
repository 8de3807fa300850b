/**
 * The library as npm gives it to a user: what is in the tarball, and whether it installs by the README's own lines and works.
 * Installs from npm's cache, or from the registry. To install takes a minute of a processor, so the quick tests don't.
 */
import { execFileSync } from "node:child_process"
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit, Scope } from "effect"
import { publint } from "publint"
import { formatMessage } from "publint/utils"
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest"
import { memcachedServers } from "../servers/memcached.js"
import { projectRoot } from "../support/bundle.js"
import { thorough, whole } from "../support/size.js"
import { installLines, Project, pack, readme } from "./project.js"
import { oldest } from "./versions.js"

const [firstLine = "", ...furtherLines] = installLines
const testingLines = furtherLines.filter((line) => line.startsWith("npm install -D"))
const backendLines = furtherLines.filter((line) => !testingLines.includes(line))

const memoryWorks = { code: 0, output: "42 by 1 computation, the other ended: true" }
const sqlWorks = { code: 0, output: "1 2 42" }
const works = { code: 0, output: "42" }
const compiles = { code: 0, output: "" }

const projects: Array<Project> = []
let tarball = ""

const empty = (manifest: Readonly<Record<string, unknown>> = {}): Project => {
  const project = new Project(tarball, manifest)
  projects.push(project)
  return project
}

/** A project that has vitest already: npm resolves it, but need not unpack it, with `--omit=dev`. */
const withVitest = (version: number) => empty({ devDependencies: { vitest: `^${version}` } })

const packedFiles = (): ReadonlyArray<string> =>
  execFileSync("tar", ["-tzf", tarball], { encoding: "utf8" })
    .trim()
    .split("\n")
    .map((file) => file.replace(/^package\//, ""))

const withMemcached = async <A>(body: (servers: string) => Promise<A>): Promise<A> => {
  const scope = Effect.runSync(Scope.make())
  try {
    return await body(await Effect.runPromise(Scope.extend(memcachedServers(1), scope)))
  } finally {
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

/** To pack and install takes a minute: CI does so in its size `whole`, and `npm run test:oldest`. */
const describeWhole = whole ? describe.concurrent : describe.skip

describeWhole("the packed library", { timeout: 900_000 }, () => {
  const packages = mkdtempSync(join(tmpdir(), "effect-cached-package-"))

  beforeAll(async () => {
    tarball = await pack(packages)
  }, 900_000)

  afterAll(() => {
    for (const folder of [packages, ...projects.map((project) => project.folder)]) {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it("holds what is published and nothing else", async () => {
    const files = packedFiles()
    const others = files.filter((file) => !/^(dist|src)\//.test(file))
    expect(others.sort()).toEqual(["ARCHITECTURE.md", "CHANGELOG.md", "LICENSE", "README.md", "package.json"])
    expect(files.filter((file) => /\.test\.|tsconfig/.test(file))).toEqual([])
    const modules = files.flatMap((file) => /^src\/(.*)(?<!\.d)\.ts$/.exec(file)?.[1] ?? [])
    const built = files.flatMap((file) => /^dist\/(.*)\.js$/.exec(file)?.[1] ?? [])
    expect(built.sort()).toEqual(modules.sort())

    const bytes = readFileSync(tarball)
    const archive = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
    const { messages, pkg } = await publint({ pack: { tarball: archive }, strict: true })
    expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([])
  })

  it("installs by the README's lines, the first of which is all that a cache in memory needs", async () => {
    const project = empty()
    await project.install(firstLine)
    expect(await project.run("memory.mjs")).toEqual(memoryWorks)
    for (const [module, missing] of [
      ["SqlBackend", "@effect/sql"],
      ["MemcachedBackend", "memjs"],
      ["PgBus", "@effect/sql-pg"],
      ["Persistence", "@effect/experimental"],
      ["KeyValueStore", "@effect/platform"],
      ["Dashboard", "@effect/platform"]
    ] as const) {
      const { code, output } = await project.evaluate(`import "effect-cached/${module}"`)
      expect(output).toContain(`Cannot find package '${missing}'`)
      expect(code).toBe(1)
    }

    expect(backendLines).toHaveLength(6)
    // In one go, which is faster, and includes that each of them can be followed alone.
    await project.install(`npm install ${backendLines.map((line) => line.replace("npm install ", "")).join(" ")}`)
    expect(await project.run("sql.mjs", { DATABASE_URL: inject("postgresUrl") })).toEqual(sqlWorks)
    // made by a script of the package, which does not run here
    const binary = "node_modules/better-sqlite3/build/Release/better_sqlite3.node"
    cpSync(join(projectRoot, binary), join(project.folder, binary))
    expect(await project.run("sqliteNode.mjs")).toEqual(works)
    expect(await project.run("sqlite.mjs")).toEqual(works)
    expect(await withMemcached((servers) => project.run("memcached.mjs", { MEMCACHED_SERVERS: servers }))).toEqual(
      works
    )
    expect(await project.run("effectNative.mjs")).toEqual(works)
    expect(await project.compile("consumer.ts", "sqlConsumer.ts", "nativeConsumer.ts")).toEqual(compiles)

    expect(testingLines).toHaveLength(1)
    for (const line of testingLines) await project.install(line)
    const { code, output } = await project.test("conformance.test.mjs")
    expect(output).toMatch(/\d{2,} tests/)
    expect(code).toBe(0)
  })

  it("works with the oldest effect, beside vitest 4", async () => {
    expect(readme).toContain(`\`effect\` from ${oldest.effect.replace(/\.0$/, "")} on`)
    const project = withVitest(4)
    await project.install(firstLine.replace("effect@3", `effect@${oldest.effect}`), "--omit=dev")
    expect(await project.run("memory.mjs")).toEqual(memoryWorks)
    expect(await project.run("outage.mjs")).toEqual({ code: 0, output: "3" })
    expect(await project.compile("consumer.ts")).toEqual(compiles)
  })

  // `npm run test:oldest` has these two, beside the suites of the backends with such versions.
  const itInThorough = it.runIf(thorough)

  itInThorough("works on PostgreSQL with the oldest @effect/sql and @effect/sql-pg, beside vitest 5", async () => {
    const named = (name: keyof typeof oldest.sql) => `${name}@${oldest.sql[name]}`
    const [effect, sql, client] = [named("effect"), named("@effect/sql"), named("@effect/sql-pg")]
    expect(readme.replaceAll("\n", " ")).toContain(`\`${effect}\`, \`${sql}\` and \`${client}\``)
    const project = withVitest(5)
    await project.install(`${firstLine.replace("effect@3", effect)} ${sql} ${client}`, "--omit=dev")
    expect(await project.run("sql.mjs", { DATABASE_URL: inject("postgresUrl") })).toEqual(sqlWorks)
  })

  itInThorough("works with the oldest @effect/experimental and @effect/platform", async () => {
    const named = Object.entries(oldest.native).map(([name, version]) => `${name}@${version}`)
    const project = empty()
    await project.install(`npm install effect-cached ${named.join(" ")}`)
    expect(await project.run("effectNative.mjs")).toEqual(works)
  })
})

it("the library names the oldest versions as its peers", () => {
  const { peerDependencies } = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8"))
  expect(peerDependencies).toEqual({
    effect: `^${oldest.effect}`,
    "@effect/experimental": `>=${oldest.native["@effect/experimental"]} <0.62.0`,
    "@effect/platform": `>=${oldest.native["@effect/platform"]} <0.98.0`,
    "@effect/sql": `>=${oldest.sql["@effect/sql"]} <0.53.0`,
    "@effect/sql-pg": `>=${oldest.sql["@effect/sql-pg"]} <0.54.0`,
    "@effect/sql-libsql": `>=${oldest.sql["@effect/sql-libsql"]} <0.43.0`,
    "@effect/sql-sqlite-node": `>=${oldest.sql["@effect/sql-sqlite-node"]} <0.54.0`,
    memjs: expect.any(String),
    redis: ">=5.0.0 <7.0.0"
  })
})
