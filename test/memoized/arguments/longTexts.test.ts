/** Long arguments, and short ones that were cut out of long texts, are not kept in memory. */
import { fileURLToPath } from "node:url"
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { bundled, outputOf } from "../../support/program.js"
import { sized } from "../../support/size.js"

const file = bundled(fileURLToPath(new URL("longTexts.ts", import.meta.url)))

/** Were each text kept, the heap would grow by 12 megabytes, and in the thorough tests by 1,000. */
const calls = sized(250, 20_000)
const atMost = sized(8, 60)

it.live(`${calls} texts of 50,000 characters leave the heap as it is`, () =>
  Effect.gen(function* () {
    const output = yield* outputOf(file(), [`${calls}`], ["--expose-gc", "--max-semi-space-size=32"])
    const told = output
      .trim()
      .split("\n")
      .map((line): { megabytes: number } => JSON.parse(line))
    expect(told).toHaveLength(11)
    expect(told.filter(({ megabytes }) => megabytes > atMost)).toEqual([])
  })
)
