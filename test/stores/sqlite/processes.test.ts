import { describe } from "@effect/vitest"
import { processTests } from "../../suites/sql/processes.js"
import { sqlite } from "./support.js"

for (const mode of ["WAL", "DELETE"] as const) {
  describe(`several processes on one file, ${mode}`, () => processTests(sqlite(mode)))
}
