/**
 * uPlot, which draws the charts: its files as they stand in its package. They are read when a page is made, and by nobody who has
 * no view.
 */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"

export interface Library {
  readonly script: string
  readonly style: string
}

/** `undefined` where it is not found: a program that is bundled into one file may have no packages beside it. */
export const readLibrary = (): Library | undefined => {
  try {
    // A bundle of CommonJS has no `import.meta.url`: there it is looked for beside the program.
    const { resolve } = createRequire(import.meta.url ?? process.argv[1])
    const read = (file: string): string => readFileSync(resolve(`uplot/dist/${file}`), "utf8")
    return { script: read("uPlot.iife.min.js"), style: read("uPlot.min.css") }
  } catch {
    return undefined
  }
}
