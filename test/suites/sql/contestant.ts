/**
 * One of several processes that compete for the same entries of one table. Its fibers add entries, and count up by read and
 * replace. It reports what it won.
 */
import { Duration, Effect, Option } from "effect"
import { clientOn, type Driver, key, record, storeOn, text } from "./ground.js"

/** The task of a process. */
export interface Contest {
  readonly driver: Driver
  readonly url: string
  readonly table: string
  readonly fibers: number
  readonly rounds: number
}

// the test that starts the processes has written it
const { fibers, rounds, table, ...database } = JSON.parse(process.argv[2] ?? "") as Contest

const contest = Effect.gen(function* () {
  // only who wins is tested, however long a busy machine lets them wait
  const cache = yield* storeOn(yield* clientOn(database), table, { timeout: Duration.minutes(1) })
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
    for (let round = 0; round < rounds; round++) {
      if (Option.isSome(yield* cache.add(key(`prize-${round}`), record(`${process.pid}`)))) won.push(round)
      yield* increment
    }
  })
  process.stdout.write("ready\n")
  // The starting signal: all processes are up when it is written.
  while ((yield* cache.read([key("start")]))[0] === undefined) yield* Effect.sleep(5)
  yield* Effect.all(
    Array.from({ length: fibers }, () => fiber),
    { concurrency: "unbounded", discard: true }
  )
  const prizes = yield* cache.read(won.map((round) => key(`prize-${round}`)))
  const stolen = prizes.filter((prize) => text(prize) !== `${process.pid}`).length
  process.stdout.write(`${JSON.stringify({ adds: won.length, conflicts, stolen })}\n`)
})

Effect.runPromise(Effect.scoped(contest)).catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`)
  process.exitCode = 1
})
