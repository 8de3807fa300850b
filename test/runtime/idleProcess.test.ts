import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { expect, it } from "@effect/vitest"

const script = fileURLToPath(new URL("idleProcess.ts", import.meta.url))

for (const [store, exit] of [
  ["memory", "Success"],
  ["a store that is away", "Failure"]
] as const) {
  it(`a process with a cache that nobody disposes of ends by itself: ${store}`, async () => {
    const ended = new Promise<string>((resolve, reject) => {
      const args = ["--import", "tsx", script, store]
      // It is killed in the end, so that a failure leaves nothing behind.
      execFile(process.execPath, args, { timeout: 110_000 }, (error, stdout) =>
        error ? reject(error) : resolve(stdout)
      )
    })
    expect(await ended).toContain(exit)
  })
}
