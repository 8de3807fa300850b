/**
 * Each example as a reader runs it: a process of its own, its exit code, and a line that tells it did its work.
 */
import { spawn } from "node:child_process"
import { join } from "node:path"
import { Effect, Exit, Scope } from "effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { bundles, projectRoot } from "./support/bundle.js"
import { whole } from "./support/size.js"

const names = ["quick-start", "method", "testing", "own-store", "observability", "tiers", "many", "demo"]
const entry = (name: string) => join(projectRoot, `examples/${name}.ts`)

const scope = Effect.runSync(Scope.make())
let bundled: (entry: string) => string
beforeAll(async () => {
  bundled = await Effect.runPromise(Scope.extend(bundles(names.map(entry)), scope))
})
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

interface Outcome {
  readonly code: number | null
  readonly output: string
}

/** Runs the program; `whenOutput` may send it signals as its output grows. */
const start = (
  command: string,
  args: ReadonlyArray<string>,
  whenOutput: (output: string, kill: (signal: NodeJS.Signals) => void) => void = () => {}
): Promise<Outcome> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: projectRoot })
    let output = ""
    const collect = (chunk: string) => {
      output += chunk
      whenOutput(output, (signal) => child.kill(signal))
    }
    child.stdout.setEncoding("utf8").on("data", collect)
    child.stderr.setEncoding("utf8").on("data", collect)
    child.on("error", reject)
    child.on("close", (code) => resolve({ code, output }))
  })

const run = (name: string, args: ReadonlyArray<string> = [], ...rest: [whenOutput?: Parameters<typeof start>[2]]) =>
  start(process.execPath, [bundled(entry(name)), ...args], ...rest)

describe.concurrent("examples", () => {
  it.each([
    ["quick-start", ["1,002 calls, 2 queries", 'after invalidation: 3 queries; the key is city("lisbon")']],
    ["method", ["4 calls, 2 look-ups; 1 EUR = 1.25 USD", "after both invalidations: 4 look-ups"]],
    ["testing", ["memory: 2 of 3 composed", "no cache: 3 of 3 composed"]],
    ["own-store", ["101 calls, 1 computation; out of bytes came 1299 cents", "invalidated: 2 computations"]],
    [
      "observability",
      ["Cache HIT square(12)", "effect_cached_hits_total{key=square} 1", "stats: hits 1, misses 2, computed 2"]
    ],
    ["tiers", ["prices 100, 100, 100: 1 query", "told by the bus: 90", "told by nobody, after maxStaleness: 80"]],
    ["many", ["query for lisbon, porto, atlantis", "query for braga\n", "query for porto\n", "batch of 2", "[ 6, 5 ]"]]
  ])("%s", async (name, lines) => {
    const { code, output } = await run(name)
    for (const line of lines) expect(output).toContain(line)
    expect(code).toBe(0)
  })

  const demos: ReadonlyArray<readonly [where: string, args: ReadonlyArray<string>]> = [
    ["alone", []],
    ["in front of another memory", ["--tier"]],
    ["in front of Redis", ["--tier", "--backend", "redis"]]
  ]
  // The last does what the others do, and more.
  it.each(whole ? demos : demos.slice(-1))(
    "demo, memory %s: keeps its promises and ends by itself",
    async (_where, args) => {
      const { code, output } = await run("demo", args)
      expect(output).toContain("computations: 1 · callers that shared it: 9,999")
      expect(output).toContain("computations: 1 · callers that waited: 1 · served the old answer: 9,999")
      expect(output).toContain("callers interrupted: 1 · callers that got the answer: 99")
      expect(output).toContain("store operations: 1")
      if (args.length > 0) {
        expect(output).toContain("100 invalidations of this process: old values afterwards: 0")
        expect(output).toContain("50 invalidations · the new value was there")
        expect(output).toContain("the bus is mended")
      }
      expect(output).toContain("Every promise kept")
      expect(output).not.toContain("\u001b")
      expect(code).toBe(0)
    }
  )

  it("demo: names the backends there are when asked for another", async () => {
    const { code, output } = await start("npm", ["run", "demo", "--", "--backend", "floppy"])
    expect(output).toContain('unknown backend "floppy"; there is memory, sql, memcached, redis')
    expect(output).toContain("Usage: npm run demo")
    expect(code).toBe(2)
  })

  it("demo: ends at once on Ctrl-C", async () => {
    let sent = false
    const { code, output } = await run("demo", [], (text, kill) => {
      if (sent || !text.includes("The cities of the world")) return
      sent = true
      kill("SIGINT")
    })
    expect(code).toBe(130)
    expect(output).not.toContain("Every promise kept")
  })
})
