/**
 * A benchmark of subjects that wait for a server, each in a process of its own that is there for the whole run; they take
 * turns, so that whatever disturbs the machine disturbs all alike. In one process they would not be measured as programs
 * run them: V8 compiles what they share (sockets, streams, Effect's loop) once, for all of them together. JMH forks for the
 * same reason (https://github.com/openjdk/jmh).
 */
import { type ChildProcess, fork } from "node:child_process"
import { Console, Context, Effect, type Scope } from "effect"
import type { CacheBackendService } from "effect-cached"
import { figures } from "./figures.js"
import { median } from "./measure.js"

/** Calls over and over, one at a time, while there are `more`. */
export type Lane = (more: () => boolean) => Promise<unknown>

export const ofPromise =
  (call: () => Promise<unknown>): Lane =>
  async (more) => {
    while (more()) await call()
  }

export const ofEffect =
  <R = never>(
    call: () => Effect.Effect<unknown, unknown, R>,
    // without requirements any context will do
    context: Context.Context<R> = Context.empty() as Context.Context<R>
  ): Lane =>
  (more) =>
    Effect.runPromise(Effect.provide(Effect.whileLoop({ while: more, body: call, step: () => undefined }), context))

/** What its lanes do in the disciplines it takes part in, with so many records, at the server of that address. */
export type Subject<Discipline extends string> = (
  address: string
) => Effect.Effect<Readonly<Partial<Record<Discipline, (size: number) => Lane>>>, unknown, Scope.Scope>

/** Looks afterwards, because a look at every answer would be measured with it. */
export const everyHitIsOne = (cache: CacheBackendService): Effect.Effect<void, never, Scope.Scope> =>
  Effect.addFinalizer(() =>
    Effect.flatMap(Effect.orDie(cache.stats), ({ hits, misses }) =>
      hits > 0 && misses === 0 ? Effect.void : Effect.dieMessage(`${hits} hits, ${misses} misses`)
    )
  )

interface Turn {
  readonly discipline: string
  readonly size: number
  readonly lanes: number
  readonly calls: number
}

type Message =
  | { readonly disciplines: ReadonlyArray<string> }
  | { readonly millis: number }
  | { readonly error: string }

/** Milliseconds: those that pass, or those of CPU that the process takes. */
const clocks = {
  time: () => performance.now(),
  cpu: () => {
    const { system, user } = process.cpuUsage()
    return (user + system) / 1_000
  }
}

const play = async (lane: Lane, { calls, lanes }: Turn, clock: () => number): Promise<number> => {
  let left = calls
  const started = clock()
  await Promise.all(Array.from({ length: lanes }, () => lane(() => left-- > 0)))
  return clock() - started
}

/** In a subject's own process: plays until the referee is gone. */
const serve = (subject: Subject<string>, address: string, clock: () => number) =>
  Effect.gen(function* () {
    const disciplines = yield* subject(address)
    const answer = (message: Message) => process.send?.(message)
    yield* Effect.async<void>((resume) => {
      process.on("message", (message) => {
        // the referee sends nothing else
        const turn = message as Turn
        const lane = disciplines[turn.discipline]
        const played = lane === undefined ? Promise.reject(`no ${turn.discipline}`) : play(lane(turn.size), turn, clock)
        played.then(
          (millis) => answer({ millis }),
          (error: unknown) => answer({ error: String(error) })
        )
      })
      process.once("disconnect", () => resume(Effect.void))
      answer({ disciplines: Object.keys(disciplines) })
    })
  })

const messageOf = (child: ChildProcess) =>
  Effect.async<Message>((resume) => {
    const onEnd = () => answer({ error: "its process ended" })
    const answer = (message: unknown) => {
      child.off("message", answer).off("exit", onEnd)
      // a subject sends nothing else
      resume(Effect.succeed(message as Message))
    }
    child.once("message", answer).once("exit", onEnd)
  })

interface Player {
  readonly name: string
  readonly disciplines: ReadonlyArray<string>
  /** Gives the milliseconds it took. */
  readonly play: (turn: Turn) => Effect.Effect<number>
}

const player = (name: string, address: string): Effect.Effect<Player, never, Scope.Scope> =>
  Effect.gen(function* () {
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        fork(process.argv[1] ?? "", [], {
          env: { ...process.env, BENCHMARK_SUBJECT: name, BENCHMARK_ADDRESS: address }
        })
      ),
      (child) =>
        Effect.async<void>((resume) => {
          const ended = (code: number | null) =>
            resume(code === 0 ? Effect.void : Effect.dieMessage(`${name} ended with ${code}`))
          if (child.exitCode !== null || child.signalCode !== null) return ended(child.exitCode)
          child.once("exit", ended)
          child.disconnect()
        })
    )
    const ready = yield* messageOf(child)
    if (!("disciplines" in ready)) return yield* Effect.dieMessage(`${name} does not start: ${JSON.stringify(ready)}`)
    const play = (turn: Turn) =>
      Effect.gen(function* () {
        child.send(turn)
        const result = yield* messageOf(child)
        if (!("millis" in result)) return yield* Effect.dieMessage(`${name} fails: ${JSON.stringify(result)}`)
        return result.millis
      })
    return { name, play, disciplines: ready.disciplines }
  })

export interface Round<Discipline extends string> {
  readonly title: string
  readonly discipline: Discipline
  readonly size: number
  readonly lanes: number
  /** Whose rate the others are compared with. */
  readonly reference: string
}

export interface Referee<Discipline extends string> {
  /**
   * Prints the rate of each subject that takes part in the discipline, and its ratio to the reference in the same round of turns:
   * medians.
   */
  readonly compare: (round: Round<Discipline>) => Effect.Effect<void, unknown>
}

/** Of one subject in one round: five eighths to warm up, the rest in turns. */
const millis = Number(process.env["BENCHMARK_SECONDS"] ?? 8) * 1_000
const turns = 11
const warmUpMillis = (millis * 5) / 8
const turnMillis = (millis - warmUpMillis) / turns

/** What a subject did in one round. */
export interface Played extends Omit<Round<string>, "title"> {
  readonly subject: string
  /** Of time or of CPU, as the contest measures. */
  readonly perSecond: number
  readonly ratio: number
}

const referee = <Discipline extends string>(subjects: ReadonlyArray<string>, address: string) =>
  Effect.gen(function* () {
    const players = yield* Effect.forEach(subjects, (name) => player(name, address))
    const played = figures<Played>()

    /** The larger the program, the longer until all of it is compiled. Says how many calls fill a turn then. */
    const warmUp = ({ play }: Player, turn: Omit<Turn, "calls">) =>
      Effect.gen(function* () {
        const end = performance.now() + warmUpMillis
        let calls = 100
        while (performance.now() < end) calls = Math.ceil((calls * turnMillis) / (yield* play({ ...turn, calls })))
        return calls
      })

    const compare = ({ title, reference, ...turn }: Round<Discipline>) =>
      Effect.gen(function* () {
        const present = yield* Effect.forEach(
          players.filter(({ disciplines }) => disciplines.includes(turn.discipline)),
          (player) => Effect.map(warmUp(player, turn), (calls) => ({ ...player, calls, rates: [] as number[] }))
        )
        for (let count = 0; count < turns; count++) {
          for (const { calls, play, rates } of present) rates.push((calls * 1_000) / (yield* play({ ...turn, calls })))
        }
        const bases = present.find(({ name }) => name === reference)?.rates ?? []
        yield* Console.log(`${title} (ratio to ${reference})`)
        for (const { name, rates } of present) {
          const perSecond = Math.round(median(rates))
          const ratio = median(rates.map((each, index) => each / (bases[index] ?? Number.NaN)))
          yield* Console.log(
            `  ${name.padEnd(34)}${perSecond.toLocaleString("en").padStart(10)}/s ${ratio.toFixed(2).padStart(7)}`
          )
          yield* played.add({ ...turn, reference, subject: name, perSecond, ratio: Number(ratio.toFixed(3)) })
        }
      })
    return { compare }
  })

export interface Contest<Discipline extends string> {
  readonly subjects: Readonly<Record<string, Subject<Discipline>>>
  /** What is measured. Default: the time that passes. Where nothing waits for a server, other programs disturb the CPU's less. */
  readonly measures?: keyof typeof clocks
  /** Starts the server and says where it is. */
  readonly server: Effect.Effect<string, unknown, Scope.Scope>
  readonly program: (referee: Referee<Discipline>, address: string) => Effect.Effect<void, unknown, Scope.Scope>
}

/** The whole benchmark: the file that calls this is run again for each subject. */
export const contest = <Discipline extends string>({
  measures = "time",
  program,
  server,
  subjects
}: Contest<Discipline>) =>
  Effect.suspend(() => {
    const name = process.env["BENCHMARK_SUBJECT"]
    const subject = name === undefined ? undefined : subjects[name]
    if (name !== undefined && subject !== undefined) {
      return serve(subject, process.env["BENCHMARK_ADDRESS"] ?? "", clocks[measures])
    }
    return Effect.gen(function* () {
      const address = yield* server
      yield* program(yield* referee(Object.keys(subjects), address), address)
    })
  }).pipe(Effect.scoped, Effect.runPromise)
