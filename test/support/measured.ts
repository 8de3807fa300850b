/** What benchmarks and the proof measured, as JSON in a folder that is not committed. `npm run charts -- --take` draws it. */
import { mkdirSync, writeFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"

export const measuredIn = "measured"

export interface Measured<Figure> {
  readonly command: string
  readonly machine: string
  readonly figures: ReadonlyArray<Figure>
}

/**
 * @param root of the project
 * @param name of the file, without `.json`
 * @param command that measures it again
 */
export const keepMeasured = <Figure>(
  root: string,
  name: string,
  command: string,
  figures: ReadonlyArray<Figure>
): Effect.Effect<void> =>
  Effect.sync(() => {
    const [major] = process.versions.node.split(".")
    const content: Measured<Figure> = { command, machine: `${availableParallelism()} cores, Node ${major}`, figures }
    mkdirSync(join(root, measuredIn), { recursive: true })
    writeFileSync(join(root, measuredIn, `${name}.json`), `${JSON.stringify(content, null, 1)}\n`)
  })
