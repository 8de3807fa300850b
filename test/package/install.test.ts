/**
 * The library as npm gives it to a user: what is in the tarball, and whether it installs by the README's own lines and works.
 * Installs from npm's cache, or from the registry.
 */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit, Scope } from "effect"
import { publint } from "publint"
import { formatMessage } from "publint/utils"
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest"
import { memcachedServers } from "../servers/memcached.js"
import { installLines, Project, pack, readme } from "./project.js"
import { oldest } from "./versions.js"

const [firstLine = "", ...furtherLines] = installLines

const memoryWorks = { code: 0, output: "42 by 1 computation, the other ended: true" }
const sqlWorks = { code: 0, output: "1 2 42" }
const works = { code: 0, output: "42" }
const compiles = { code: 0, output: "" }

const packages = mkdtempSync(join(tmpdir(), "effect-cached-package-"))
const projects: Array<Project> = []

const empty = (manifest: Readonly<Record<string, unknown>> = {}): Project => {
  const project = new Project(tarball, manifest)
  projects.push(project)
  return project
}

let tarball = ""
let installed: Project

/** A project in which the README's first line was run. */
const afterFirstLine = (): Project => {
  const project = empty()
  project.copy(installed)
  return project
}

beforeAll(async () => {
  tarball = await pack(packages)
  installed = empty()
  await installed.install(firstLine)
}, 240_000)

afterAll(() => {
  for (const folder of [packages, ...projects.map((project) => project.folder)]) {
    rmSync(folder, { recursive: true, force: true })
  }
})

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

describe.concurrent("the packed library", { timeout: 240_000 }, () => {
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

  it("installs by the README's first line, which is all that a cache in memory needs", async () => {
    const project = afterFirstLine()
    expect(await project.run("memory.mjs")).toEqual(memoryWorks)
    for (const [module, missing] of [
      ["SqlBackend", "@effect/sql"],
      ["MemcachedBackend", "memjs"]
    ] as const) {
      const { code, output } = await project.evaluate(`import "effect-cached/${module}"`)
      expect(output).toContain(`Cannot find package '${missing}'`)
      expect(code).toBe(1)
    }
  })

  it("installs by the README's further lines, for each backend and for tests", async () => {
    const project = afterFirstLine()
    expect(furtherLines).toHaveLength(4)
    for (const line of furtherLines) await project.install(line)
    expect(await project.run("sql.mjs", { DATABASE_URL: inject("postgresUrl") })).toEqual(sqlWorks)
    expect(await project.run("sqlite.mjs")).toEqual(works)
    expect(await withMemcached((servers) => project.run("memcached.mjs", { MEMCACHED_SERVERS: servers }))).toEqual(
      works
    )
    expect(await project.compile("consumer.ts", "sqlConsumer.ts")).toEqual(compiles)
    const { code, output } = await project.test("conformance.test.mjs")
    expect(output).toMatch(/Tests +\d+ passed/)
    expect(code).toBe(0)
  })

  for (const version of [4, 5]) {
    it(`installs beside vitest ${version}`, async () => {
      const project = empty({ devDependencies: { vitest: `^${version}` } })
      // vitest takes part in what npm resolves, but it need not be unpacked.
      await project.install(firstLine, "--omit=dev")
      expect(await project.run("memory.mjs")).toEqual(memoryWorks)
    })
  }

  it("works with the oldest effect", async () => {
    expect(readme).toContain(`\`effect\` from ${oldest.effect.replace(/\.0$/, "")} on`)
    const project = empty()
    await project.install(firstLine.replace("effect@3", `effect@${oldest.effect}`))
    expect(await project.run("memory.mjs")).toEqual(memoryWorks)
    expect(await project.run("outage.mjs")).toEqual({ code: 0, output: "3" })
    expect(await project.compile("consumer.ts")).toEqual(compiles)
  })

  it("works on PostgreSQL with the oldest @effect/sql and @effect/sql-pg", async () => {
    const named = (...names: ReadonlyArray<keyof typeof oldest.sql>) =>
      names.map((name) => `${name}@${oldest.sql[name]}`)
    const [effect = "", sql, client] = named("effect", "@effect/sql", "@effect/sql-pg")
    expect(readme.replaceAll("\n", " ")).toContain(`\`${effect}\`, \`${sql}\` and \`${client}\``)
    const project = empty()
    await project.install(`${firstLine.replace("effect@3", effect)} ${sql} ${client}`)
    expect(await project.run("sql.mjs", { DATABASE_URL: inject("postgresUrl") })).toEqual(sqlWorks)
  })

  it("names the oldest versions as its peers", () => {
    const { peerDependencies } = JSON.parse(
      execFileSync("tar", ["-xzOf", tarball, "package/package.json"], { encoding: "utf8" })
    )
    expect(peerDependencies).toEqual({
      effect: `^${oldest.effect}`,
      "@effect/sql": `>=${oldest.sql["@effect/sql"]} <0.53.0`,
      memjs: expect.any(String)
    })
  })
})
