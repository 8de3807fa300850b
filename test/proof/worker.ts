/** A process of the proof: one caching library over one store, and a loop that carries out commands. */
import { Cause, Deferred, Effect, Exit, Layer, Queue } from "effect"
import { CacheBackend, cached, invalidateGroup, NoopBackend } from "effect-cached"
import { stamp } from "../cluster/history.js"
import type { Answer, Assignment, Command, LoadCall, Report } from "./messages.js"
import { makeSubject, type Subject, type Value } from "./subjects.js"

declare const gc: (() => void) | undefined

const report = (message: Report) => Effect.sync(() => process.send?.(message))

// Written by the proof.
const assignment = JSON.parse(process.argv[2] ?? "") as Assignment
let computations = 0

const compute = (lasting: number): Effect.Effect<Value> =>
  Effect.suspend(() => {
    const id = `${assignment.name}:${++computations}`
    return Effect.as(Effect.zipRight(report({ _tag: "Computing", id }), Effect.sleep(lasting)), { id })
  })

const call = (subject: Subject, { key, lasting, ttl }: { key: string; lasting: number; ttl: number }) =>
  Effect.gen(function* () {
    const begin = stamp()
    const exit = yield* Effect.exit(subject.call(key, { ttl, compute: compute(lasting) }))
    const answer: Answer = { id: Exit.isSuccess(exit) ? exit.value.id : undefined, begin, end: stamp() }
    return { answer, failure: Exit.isFailure(exit) ? Cause.pretty(exit.cause) : undefined }
  })

const burst = (subject: Subject, command: Extract<Command, { _tag: "Burst" }>) =>
  Effect.gen(function* () {
    const before = computations
    yield* Effect.sleep(Math.max(0, command.at - stamp()))
    const calls = yield* Effect.all(
      Array.from({ length: command.fibers }, () => call(subject, command)),
      { concurrency: "unbounded" }
    )
    const answers: Record<string, number> = {}
    let slowest = 0
    for (const { answer } of calls) {
      if (answer.id !== undefined) answers[answer.id] = (answers[answer.id] ?? 0) + 1
      slowest = Math.max(slowest, answer.end - answer.begin)
    }
    const failures = calls.flatMap(({ failure }) => (failure === undefined ? [] : [failure]))
    return {
      computations: computations - before,
      answers,
      failed: failures.length,
      failure: failures[0],
      slowest
    }
  })

const micros = (begin: bigint) => Number(process.hrtime.bigint() - begin) / 1_000

/** How many turns of the scheduler a call may take that does not wait for the store. */
const turnsOfACall = 20

/** Calls spread evenly over the second. Calls that a busy machine was late for are made up for at once. */
const load = (subject: Subject, command: Extract<Command, { _tag: "Load" }>) =>
  Effect.gen(function* () {
    const calls: Array<LoadCall> = []
    const begun = stamp()
    const one = (number: number) =>
      Effect.gen(function* () {
        // In order; at random where some calls invalidate, or they would meet the same keys in all processes.
        const place = command.invalidating === undefined ? number : Math.floor(Math.random() * command.keys)
        const key = `steady${place % command.keys}`
        let computed = false
        const value = Effect.sync((): Value => {
          computed = true
          return { id: "steady" }
        })
        const at = stamp()
        const direct = process.hrtime.bigint()
        yield* Effect.exit(value)
        const directly = micros(direct)
        computed = false
        const invalidates = Math.random() < (command.invalidating ?? 0)
        const call = invalidates ? subject.invalidate(key) : subject.call(key, { ttl: command.ttl, compute: value })
        const start = process.hrtime.bigint()
        const exit = yield* Effect.exit<unknown, unknown, CacheBackend>(call)
        calls.push({ at, took: micros(start), direct: directly, hit: !computed, failed: Exit.isFailure(exit) })
      })
    let launched = 0
    while (stamp() < begun + command.lasting) {
      const due = Math.floor(((stamp() - begun) * command.perSecond) / 1_000)
      for (; launched < due; launched++) {
        yield* Effect.fork(one(launched))
        // A call that needs no store is answered before the next call begins, so that only its own time is measured. If no other
        // call is due, the loop takes no turns.
        if (launched === due - 1) continue
        for (let turn = 0; calls.length <= launched && turn < turnsOfACall; turn++) yield* Effect.yieldNow()
      }
      yield* Effect.sleep("1 millis")
    }
    while (calls.length < launched) yield* Effect.sleep("10 millis")
    return calls
  })

/** The load of a shop: hot and cold keys, always some new ones, some invalidations, some counters. */
const mix = (command: Extract<Command, { _tag: "Mix" }>): Effect.Effect<number, unknown, CacheBackend> =>
  Effect.gen(function* () {
    let operations = 0
    let fresh = 0
    const options = { ttl: command.ttl, stale: command.ttl / 2, lease: 2_000 }
    const item = cached((key: string) => Effect.as(Effect.sleep("2 millis"), { key, text: "x".repeat(200) }), {
      key: "item",
      ...options,
      groups: (key) => ["items", `shelf${key.length}`]
    })
    const until = stamp() + command.lasting
    const one = Effect.gen(function* () {
      const cache = yield* CacheBackend
      const hot = `hot${Math.floor(Math.random() ** 3 * 200)}`
      const luck = Math.random()
      operations++
      if (luck < 0.75) yield* item(hot)
      else if (luck < 0.9) yield* item(`new${assignment.name}.${++fresh}`)
      else if (luck < 0.95) yield* item.invalidate(hot)
      else if (luck < 0.96) yield* invalidateGroup(`shelf${hot.length}`)
      else if (luck < 0.98) yield* cache.add(`count.${hot}`, 0, options)
      else yield* Effect.ignore(cache.increment(`count.${hot}`))
    })
    yield* Effect.forEach(
      Array.from({ length: 16 }),
      () => Effect.repeat(Effect.zipRight(Effect.sleep("4 millis"), one), { while: () => stamp() < until }),
      { concurrency: "unbounded", discard: true }
    )
    return operations
  })

const sockets = () => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length

const main = Effect.gen(function* () {
  const commands = yield* Queue.unbounded<Command>()
  const finished = yield* Deferred.make<void>()
  process.on("message", (message: Command) => {
    if (message._tag === "Finish") Deferred.unsafeDone(finished, Exit.void)
    else commands.unsafeOffer(message)
  })
  const subject = yield* makeSubject(assignment.subject, assignment)
  yield* report({ _tag: "Ready" })
  // Once for all calls, as a program does.
  const context = subject.context ?? (yield* Layer.build(NoopBackend.layer))
  const obey = (command: Command): Effect.Effect<void, unknown, CacheBackend> => {
    switch (command._tag) {
      case "Call":
        return Effect.flatMap(call(subject, command), ({ answer }) => report({ _tag: "Called", answer }))
      case "Burst":
        return Effect.flatMap(burst(subject, command), (result) => report({ _tag: "Burst", result }))
      case "Load":
        return Effect.flatMap(load(subject, command), (calls) => report({ _tag: "Load", calls }))
      case "Mix":
        return subject.context === undefined
          ? Effect.void
          : Effect.flatMap(mix(command), (operations) => report({ _tag: "Mix", operations }))
      case "Sample":
        return Effect.flatMap(subject.stats, (stats) => {
          gc?.()
          return report({
            _tag: "Sample",
            sample: { heap: process.memoryUsage().heapUsed, sockets: sockets(), stats }
          })
        })
      case "Finish":
        return Effect.void
    }
  }
  yield* Effect.fork(
    Effect.provide(
      Effect.forever(
        Effect.flatMap(Queue.take(commands), (command) => Effect.fork(Effect.ignoreLogged(obey(command))))
      ),
      context
    )
  )
  yield* Deferred.await(finished)
})

process.on("disconnect", () => process.exit(1))

Effect.runFork(
  Effect.scoped(main).pipe(
    Effect.catchAllCause((cause) => report({ _tag: "Failed", reason: Cause.pretty(cause) })),
    Effect.zipRight(Effect.sync(() => setTimeout(() => process.exit(0), 100)))
  )
)
