/**
 * One of several processes that compete for the same records of one file: fibers that add, and count up by reading and
 * replacing. Says what it won.
 */
import { Duration, Effect, Option } from "effect"
import { key, record, text } from "../../suites/sql/records.js"
import { clientOn, store } from "./support.js"

const [url = "", fibers = "0", rounds = "0"] = process.argv.slice(2)

const contest = Effect.gen(function* () {
  const sql = yield* clientOn(url)
  // What is counted here is who wins, however long a busy disk makes all of them wait.
  const cache = yield* store(sql, { timeout: Duration.seconds(30) })
  const won: Array<number> = []
  let conflicts = 0
  const increment: Effect.Effect<void, Error> = Effect.gen(function* () {
    const [found] = yield* cache.read([key("counter")])
    const replaced = yield* cache.replace(key("counter"), found?.token, record(`${Number(text(found)) + 1}`))
    if (Option.isSome(replaced)) return
    conflicts += 1
    yield* increment
  })
  const fiber = Effect.gen(function* () {
    for (let round = 0; round < Number(rounds); round++) {
      if (Option.isSome(yield* cache.add(key(`prize-${round}`), record(`${process.pid}`)))) won.push(round)
      yield* increment
    }
  })
  process.stdout.write("ready\n")
  // The starting signal: all processes are up when it is written.
  while ((yield* cache.read([key("start")]))[0] === undefined) yield* Effect.sleep(5)
  yield* Effect.all(
    Array.from({ length: Number(fibers) }, () => fiber),
    { concurrency: "unbounded", discard: true }
  )
  const prizes = yield* cache.read(won.map((round) => key(`prize-${round}`)))
  const stolen = prizes.filter((prize) => text(prize) !== `${process.pid}`).length
  process.stdout.write(`${JSON.stringify({ adds: won.length, conflicts, stolen })}\n`)
})

await Effect.runPromise(Effect.scoped(contest))
