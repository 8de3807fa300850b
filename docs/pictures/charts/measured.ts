/** What was measured, out of `docs/measured`: the files that benchmarks and proof have written. */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { Played } from "../../../benchmarks/tools/contest.js"
import type { Figure } from "../../../benchmarks/tools/measure.js"
import type { OutageFigures } from "../../../test/proof/outage.js"
import type { StampedeFigures } from "../../../test/proof/stampede.js"
import type { SpreadingFigures } from "../../../test/proof/tiers/spreading.js"
import type { Measured } from "../../../test/support/measured.js"

export const folder = fileURLToPath(new URL("../../measured/", import.meta.url))

/** A row of the proof's table. */
export interface ProofRow<Figures> {
  readonly what: string
  readonly store: string
  readonly measured: string
  readonly figures?: Figures
}

/** What each file of that name has in it. */
export interface Files {
  readonly "bench.memory": { readonly keys: string; readonly size: number } & Figure
  readonly "bench.sql": Played
  readonly "bench.memcached": Played
  readonly "bench.redis": Played
  readonly "proof.outage.sql": ProofRow<OutageFigures>
  readonly "proof.outage.memcached": ProofRow<OutageFigures>
  readonly "proof.stampede.sql": ProofRow<StampedeFigures>
  readonly "proof.stampede.memcached": ProofRow<StampedeFigures>
  readonly "proof.stampede.redis": ProofRow<StampedeFigures>
  readonly "proof.rivals.sql": ProofRow<StampedeFigures>
  readonly "proof.rivals.memcached": ProofRow<StampedeFigures>
  readonly "proof.rivals.redis": ProofRow<StampedeFigures>
  readonly "proof.spreading.sql": ProofRow<SpreadingFigures>
  readonly "proof.spreading.redis": ProofRow<SpreadingFigures>
}

export type FileName = keyof Files

export const fileNames: ReadonlyArray<FileName> = [
  "bench.memory",
  "bench.sql",
  "bench.memcached",
  "bench.redis",
  "proof.outage.sql",
  "proof.outage.memcached",
  "proof.stampede.sql",
  "proof.stampede.memcached",
  "proof.stampede.redis",
  "proof.rivals.sql",
  "proof.rivals.memcached",
  "proof.rivals.redis",
  "proof.spreading.sql",
  "proof.spreading.redis"
]

export const measured = <Name extends FileName>(name: Name): Measured<Files[Name]> =>
  JSON.parse(readFileSync(`${folder}${name}.json`, "utf8"))

/** The figures of the rows that have some. */
export const figuresOf = <Figures>({ figures: rows }: Measured<ProofRow<Figures>>): ReadonlyArray<Figures> =>
  rows.flatMap(({ figures }) => figures ?? [])
