import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"
import { sized } from "./support/size.js"

const source = (path: string) => fileURLToPath(new URL(`../src/${path}`, import.meta.url))

/** Those that take longest begin first, or one of them would end alone. */
const longest = [
  "package/install",
  "cluster/cluster",
  "dashboard/connection",
  "readThrough/callers",
  "memcached/outage",
  "memcached/busyProcess",
  "redis/outage",
  "tiered/realBuses",
  "buses",
  "examples",
  "backends",
  "postgres/transactions",
  "sqlite/sqliteNode",
  "tiered/tier",
  "docs/blocks",
  "telemetry/labels",
  "arguments/longTexts",
  "interruption.sweep"
]

class LongestFirst extends BaseSequencer {
  override async sort(files: ReadonlyArray<TestSpecification>): Promise<Array<TestSpecification>> {
    const rank = ({ moduleId }: TestSpecification) => {
      const found = longest.findIndex((part) => moduleId.includes(part))
      return found < 0 ? longest.length : found
    }
    return files.toSorted((left, right) => rank(left) - rank(right))
  }
}

/** More than processors where these are few: a third of their time the tests wait for servers and clocks. */
const workers = Math.max(6, availableParallelism() - 1)

export default defineConfig({
  root: fileURLToPath(new URL("..", import.meta.url)),
  resolve: {
    alias: [
      { find: /^effect-cached$/, replacement: source("index.ts") },
      { find: /^effect-cached\/(.*)$/, replacement: source("$1.ts") }
    ]
  },
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: [
      "test/servers/postgres.setup.ts",
      "test/servers/memcached.setup.ts",
      "test/servers/redis.setup.ts",
      "test/servers/chromium.setup.ts"
    ],
    // To load the library anew for each file would cost more than most of them. Nothing in it is shared but by a layer.
    isolate: false,
    // Most tests make much that is gone at their end: the collector has to look less often, which saves a tenth.
    poolOptions: { forks: { execArgv: ["--max-semi-space-size=64"] } },
    setupFiles: ["test/support/plainIt.ts"],
    sequence: { sequencer: LongestFirst },
    minWorkers: workers,
    maxWorkers: workers,
    // what a test says is of interest where it fails
    silent: "passed-only",
    // what hangs is to be told; what is slow on a busy machine is not
    testTimeout: sized(300_000, 3_600_000),
    hookTimeout: 240_000
  }
})
