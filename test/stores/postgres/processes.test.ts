import { describe } from "@effect/vitest"
import { processTests } from "../../suites/sql/processes.js"
import { postgres } from "./support.js"

describe("several processes on PostgreSQL", () => processTests(postgres))
