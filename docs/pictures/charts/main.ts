/**
 * `npm run charts` draws the charts of the documentation out of `docs/measured`. With `--take` it first takes over what `npm run bench`
 * and `npm run proof` have measured here since.
 */
import { copyFileSync, existsSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { measuredIn } from "../../../test/support/measured.js"
import { hits } from "./hits.js"
import { fileNames, folder } from "./measured.js"
import { outage } from "./outage.js"
import { spreading } from "./spreading.js"
import { stampede } from "./stampedeByProcess.js"
import { type Chart, svgOf } from "./svg.js"

const charts: Readonly<Record<string, () => Chart>> = {
  hits,
  outage,
  "stampede-by-process": stampede,
  spreading
}

/** The files by their names. */
export const draw = async (): Promise<Readonly<Record<string, string>>> => {
  const files: Record<string, string> = {}
  for (const [name, chart] of Object.entries(charts)) files[`${name}.svg`] = await svgOf(name, chart())
  return files
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { take: { type: "boolean" } } })
  if (values.take === true) {
    const fresh = fileURLToPath(new URL(`../../../${measuredIn}/`, import.meta.url))
    const found = fileNames.filter((name) => existsSync(`${fresh}${name}.json`))
    for (const name of found) copyFileSync(`${fresh}${name}.json`, `${folder}${name}.json`)
    process.stdout.write(`taken over: ${found.join(", ")}\n`)
  }
  for (const [name, content] of Object.entries(await draw())) {
    writeFileSync(fileURLToPath(new URL(name, import.meta.url)), content)
  }
}
