/**
 * One of several processes that compete for the same records: 16 fibers that add, and count up by reading and replacing.
 * Says what it won.
 */
import { Effect, Option } from "effect"
import { readText, record, storeOn } from "./support.js"

const [servers = "", namespace = "", rounds = "0"] = process.argv.slice(2)

const contest = Effect.gen(function* () {
  const store = yield* storeOn(servers, { timeout: "1 minute" }, namespace)
  let adds = 0
  let conflicts = 0
  const increment: Effect.Effect<void, Error> = Effect.gen(function* () {
    const [found] = yield* store.read(["counter"])
    const next = Number(Buffer.from(found?.bytes ?? []).toString()) + 1
    const replaced = yield* store.replace("counter", found?.token, record(`${next}`))
    if (Option.isSome(replaced)) return
    conflicts += 1
    yield* increment
  })
  const fiber = Effect.gen(function* () {
    for (let round = 0; round < Number(rounds); round++) {
      if (Option.isSome(yield* store.add(`prize-${round}`, record(`${process.pid}`)))) adds += 1
      yield* increment
    }
  })
  // The starting signal: all processes are up and connected when it is written.
  process.stdout.write("ready\n")
  while ((yield* readText(store, "start")) === undefined) yield* Effect.sleep(5)
  yield* Effect.all(
    Array.from({ length: 16 }, () => fiber),
    { concurrency: "unbounded", discard: true }
  )
  process.stdout.write(`${JSON.stringify({ adds, conflicts })}\n`)
})

Effect.runPromise(Effect.scoped(contest)).catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`)
  process.exitCode = 1
})
