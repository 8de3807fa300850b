/** Long arguments, and short ones that were cut out of long texts, are not kept in memory. */
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { expect, it } from "@effect/vitest"
import { sized } from "../../support/size.js"

const script = fileURLToPath(new URL("longTexts.ts", import.meta.url))

/** Were each text kept, the heap would grow by 12 megabytes, and in the thorough tests by 1,000. */
const calls = sized(250, 20_000)
const atMost = sized(8, 60)

it(`${calls} texts of 50,000 characters leave the heap as it is`, async () => {
  const output = await new Promise<string>((resolve, reject) => {
    const args = ["--expose-gc", "--max-semi-space-size=32", "--import", "tsx", script, `${calls}`]
    execFile(process.execPath, args, { timeout: sized(110_000, 3_500_000) }, (error, stdout) =>
      error ? reject(error) : resolve(stdout)
    )
  })
  const told = output
    .trim()
    .split("\n")
    .map((line): { megabytes: number } => JSON.parse(line))
  expect(told).toHaveLength(11)
  expect(told.filter(({ megabytes }) => megabytes > atMost)).toEqual([])
})
