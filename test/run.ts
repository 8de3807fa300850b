/**
 * `npm test`: the linter, then all others at once, for the tests often wait while a processor is idle. What a check says stands in
 * one piece, and where it finds something, the tests end. Arguments are those of the tests: `npm test -- test/keys`.
 */
import { type ChildProcess, spawn } from "node:child_process"

interface Outcome {
  readonly name: string
  readonly code: number
  readonly said: string
}

const npm = (name: string): Promise<Outcome> =>
  new Promise((resolve, reject) => {
    const child = spawn("npm", ["run", "--silent", name], { stdio: ["ignore", "pipe", "pipe"] })
    let said = ""
    for (const output of [child.stdout, child.stderr]) {
      output.setEncoding("utf8").on("data", (chunk: string) => {
        said += chunk
      })
    }
    child.on("error", reject)
    child.on("close", (code) => resolve({ name, code: code ?? 1, said }))
  })

const failed = ({ code, name, said }: Outcome): boolean => {
  if (code === 0) return false
  process.stderr.write(`\nnpm run ${name} has failed:\n${said}\n`)
  process.exitCode = 1
  return true
}

const startTests = (): { readonly child: ChildProcess; readonly code: Promise<number> } => {
  const child = spawn("npm", ["run", "--silent", "test:unit", "--", ...process.argv.slice(2)], {
    stdio: ["ignore", "inherit", "inherit"],
    detached: true
  })
  return { child, code: new Promise((resolve) => child.on("close", (code) => resolve(code ?? 1))) }
}

if (!failed(await npm("lint"))) {
  const tests = startTests()
  let isOver = false
  /** With all its processes; each has the servers that it started end. */
  const endTests = () => {
    if (!isOver && tests.child.pid !== undefined) process.kill(-tests.child.pid, "SIGTERM")
  }
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, endTests)
  const checks = ["types", "test:structure"].map(async (name) => {
    if (failed(await npm(name))) endTests()
  })
  const code = await tests.code
  isOver = true
  await Promise.all(checks)
  if (code !== 0) process.exitCode = 1
}
