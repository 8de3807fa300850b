/**
 * The second part of `npm run test:oldest`: runs the suites of each backend with the oldest versions that the library claims to
 * work with, in a copy of the project beside which those versions are installed.
 */
import { execFileSync } from "node:child_process"
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { oldest } from "./versions.js"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** `@effect/vitest` has to share the project's `effect`, so it is installed too, whatever version it would like. */
const installed = (folder: string, versions: Readonly<Record<string, string>>) => {
  const dependencies = { ...versions, "@effect/vitest": "0.30" }
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", private: true, dependencies }))
  const flags = [
    "--legacy-peer-deps",
    "--prefer-offline",
    "--no-audit",
    "--no-fund",
    "--ignore-scripts",
    "--loglevel=error"
  ]
  execFileSync("npm", ["install", ...flags], { cwd: folder, stdio: "inherit" })
}

/** Everything else is the project's own. */
const linked = (folder: string, inside = "node_modules") => {
  mkdirSync(join(folder, inside), { recursive: true })
  for (const name of readdirSync(join(root, inside))) {
    const path = join(inside, name)
    if (name.startsWith("@") && inside === "node_modules") linked(folder, path)
    else if (!existsSync(join(folder, path)) && name !== ".bin") symlinkSync(join(root, path), join(folder, path))
  }
}

const runWith = (versions: Readonly<Record<string, string>>, ...tests: ReadonlyArray<string>) => {
  process.stdout.write(`\nwith ${JSON.stringify(versions)}\n`)
  const folder = mkdtempSync(join(tmpdir(), "effect-cached-oldest-"))
  try {
    installed(folder, versions)
    // its binary is made by a script, which does not run here: the project's has one
    rmSync(join(folder, "node_modules", "better-sqlite3"), { recursive: true, force: true })
    linked(folder)
    for (const name of ["src", "test", "tsconfig.json"])
      cpSync(join(root, name), join(folder, name), { recursive: true })
    const vitest = join("node_modules", "vitest", "vitest.mjs")
    const args = [vitest, "run", "--config", join("test", "vitest.config.ts"), ...tests]
    execFileSync(process.execPath, args, { cwd: folder, stdio: "inherit" })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const core = [
  "backends/memory",
  "backends/memcached",
  "entries",
  "memoized",
  "operations",
  "outages",
  "readThrough",
  "stores/memory"
]
/** They need PostgreSQL's client, which works with a later `effect` only. */
const onPostgres = [
  "test/memoized/manyRoundTrips.test.ts",
  "test/memoized/namedCaches.test.ts",
  "test/outages/redactKeys.test.ts",
  "test/readThrough/afterCommit.test.ts",
  "test/readThrough/callers.test.ts",
  "test/readThrough/recursion.test.ts"
]
runWith(
  { effect: oldest.effect },
  ...core.map((name) => `test/${name}`),
  ...onPostgres.flatMap((name) => ["--exclude", name])
)
runWith(
  oldest.sql,
  ...onPostgres,
  "test/backends/postgres",
  "test/backends/sqlite",
  "test/stores/sqlite/sqliteNode",
  "test/stores/postgres/crash"
)
