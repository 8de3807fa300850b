import { describe } from "vitest"
import { unknownIdTests } from "../../suites/sql/unknownIds.js"
import { sized } from "../../support/size.js"
import { sqlite } from "./support.js"

describe("unknown ids on SQLite", () => unknownIdTests(sqlite(), sized(1_000, 20_000)))
