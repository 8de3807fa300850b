/** Projects in empty folders that install the packed library, as a reader of the README would. */
import { execFile } from "node:child_process"
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../..", import.meta.url))
const programs = fileURLToPath(new URL("programs/", import.meta.url))

export const readme = readFileSync(join(root, "README.md"), "utf8")

/** The commands of the README's section "Install", without their comments. */
export const installLines: ReadonlyArray<string> = (
  /^## Install\n[\s\S]*?```sh\n([\s\S]*?)```/m.exec(readme)?.[1] ?? ""
)
  .split("\n")
  .map((line) => line.replace(/#.*/, "").trim())
  .filter((line) => line !== "")

export interface Outcome {
  readonly code: number
  readonly output: string
}

/** Runs a program, and collects what it prints on both outputs. */
const run = (
  cwd: string,
  file: string,
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {}
): Promise<Outcome> =>
  new Promise((resolve) => {
    const child = execFile(file, args, { cwd, env: { ...ownEnvironment(), ...env } }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : (child.exitCode ?? -1), output: `${stdout}${stderr}`.trim() })
    )
  })

/** Without what npm tells its scripts: the npm that is run here works for another project. */
const ownEnvironment = () =>
  Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(npm_(package|lifecycle|command)|npm_config_local_prefix|INIT_CWD)/.test(name)
    )
  )

const succeeding = async (outcome: Promise<Outcome>): Promise<string> => {
  const { code, output } = await outcome
  if (code !== 0) throw new Error(`code ${code}:\n${output}`)
  return output
}

/** Builds and packs the library; the tarball's path. */
export const pack = async (folder: string): Promise<string> => {
  await succeeding(run(root, "npm", ["pack", "--silent", "--pack-destination", folder]))
  const { name, version }: { name: string; version: string } = JSON.parse(
    readFileSync(join(root, "package.json"), "utf8")
  )
  return join(folder, `${name}-${version}.tgz`)
}

/** Fast, and without a word about what is none of this test's business. */
const npmFlags = ["--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]

export class Project {
  readonly folder = mkdtempSync(join(tmpdir(), "effect-cached-project-"))

  constructor(
    private readonly tarball: string,
    manifest: Readonly<Record<string, unknown>> = {}
  ) {
    writeFileSync(join(this.folder, "package.json"), JSON.stringify({ type: "module", private: true, ...manifest }))
  }

  /** Runs a line of the README, where the packed library stands for the published one. */
  install(line: string, ...flags: ReadonlyArray<string>): Promise<string> {
    const [npm = "", ...words] = line.split(/\s+/)
    const args = words.map((word) => (word === "effect-cached" ? this.tarball : word))
    return succeeding(run(this.folder, npm, [...args, ...npmFlags, ...flags]))
  }

  /** Runs one of the programs beside this file. */
  run(name: string, env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
    copyFileSync(join(programs, name), join(this.folder, name))
    return run(this.folder, process.execPath, [name], env)
  }

  /** Runs a module of which this is the text. */
  evaluate(source: string): Promise<Outcome> {
    return run(this.folder, process.execPath, ["--input-type=module", "--eval", source])
  }

  /** Runs a test file beside this one, with the project's own vitest. */
  test(name: string): Promise<Outcome> {
    copyFileSync(join(programs, name), join(this.folder, name))
    return run(this.folder, process.execPath, [join("node_modules", "vitest", "vitest.mjs"), "run", name])
  }

  /** Compiles files beside this one, and all declarations they lead to, in a project without any `@types`. */
  compile(...names: ReadonlyArray<string>): Promise<Outcome> {
    const source = join(this.folder, "source")
    mkdirSync(source, { recursive: true })
    for (const name of names) copyFileSync(join(programs, name), join(source, name))
    const compilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      target: "ES2022",
      // effect's own declarations name types of the DOM
      lib: ["ES2022", "DOM"],
      types: [],
      module: "NodeNext",
      skipLibCheck: false
    }
    writeFileSync(join(source, "tsconfig.json"), JSON.stringify({ compilerOptions }))
    return run(this.folder, process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", source])
  }
}
