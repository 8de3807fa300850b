/** A real browser: Debian's Chromium, or the program that CHROMIUM names. */
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { Effect, type Scope } from "effect"
import { type BrowserContext, chromium } from "playwright-core"
import { available, type Program, prepare as prepareProgram } from "./program.js"

const program: Program = {
  name: process.env["CHROMIUM"] ?? "chromium",
  debianPackage: "chromium",
  otherwise: "name one in CHROMIUM=/path/to/it"
}

export const prepare = prepareProgram(program)

/** Where on the PATH it is: playwright-core wants the whole path. */
const pathOf = (name: string): string =>
  (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path)) ?? name

/** It speaks to nobody on its own account. */
const quiet = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync"
]

/** A browser with a profile of its own, which is removed at the end of the scope. */
export const browserWith = (args: ReadonlyArray<string>): Effect.Effect<BrowserContext, Error, Scope.Scope> =>
  Effect.gen(function* () {
    yield* available(program)
    const profile = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-cached-chromium-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
    )
    return yield* Effect.acquireRelease(
      Effect.tryPromise({
        try: () =>
          chromium.launchPersistentContext(profile, {
            executablePath: pathOf(program.name),
            headless: true,
            chromiumSandbox: process.getuid?.() !== 0,
            args: [...quiet, ...args]
          }),
        catch: (cause) => (cause instanceof Error ? cause : new Error(String(cause)))
      }),
      (context) => Effect.promise(() => context.close())
    )
  })

export const browser: Effect.Effect<BrowserContext, Error, Scope.Scope> = browserWith([])
