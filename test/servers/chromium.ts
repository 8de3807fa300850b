/** A real browser: Debian's Chromium, or the program that CHROMIUM names. */
import { existsSync } from "node:fs"
import { delimiter, join } from "node:path"
import { Effect, type Scope } from "effect"
import { type Browser, type BrowserContext, chromium } from "playwright-core"
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

/** Without a profile. */
export const launched = (args: ReadonlyArray<string>): Effect.Effect<Browser, Error, Scope.Scope> =>
  Effect.zipRight(
    available(program),
    Effect.acquireRelease(
      Effect.tryPromise({
        try: () =>
          chromium.launch({
            executablePath: pathOf(program.name),
            headless: true,
            chromiumSandbox: process.getuid?.() !== 0,
            args: [...quiet, ...args]
          }),
        catch: (cause) => (cause instanceof Error ? cause : new Error(String(cause)))
      }),
      (browser) => Effect.promise(() => browser.close())
    )
  )

/** A profile that shares nothing with another one: neither what is stored nor connections. */
export const profileOf = (browser: Browser): Effect.Effect<BrowserContext, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() => browser.newContext()),
    (context) => Effect.promise(() => context.close())
  )

/** A browser of one's own. */
export const browserWith = (args: ReadonlyArray<string>): Effect.Effect<BrowserContext, Error, Scope.Scope> =>
  Effect.flatMap(launched(args), profileOf)

export const browser: Effect.Effect<BrowserContext, Error, Scope.Scope> = browserWith([])
