import { describe } from "vitest"
import { unknownIdTests } from "../../suites/sql/unknownIds.js"
import { sized } from "../../support/size.js"
import { postgres } from "./support.js"

describe("unknown ids on PostgreSQL", () => unknownIdTests(postgres, sized(3_000, 100_000)))
