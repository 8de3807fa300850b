/**
 * What the library promises, kept before the reader's eyes. Every figure is measured or counted here, as the scene runs;
 * a scene fails with `BrokenPromise` when a count is not what it should be.
 */
import { Array as Arr, Clock, Data, Effect, Either, Fiber, Option } from "effect"
import { CacheBackend, type CachedFunction, invalidateGroup } from "effect-cached"
import type { City, Near } from "./cities.js"
import { count, row, time } from "./format.js"
import { BrokenPromise, countingOperations, expectCount, repeated, timed } from "./measuring.js"
import { group, type Questions } from "./questions.js"
import type { Say } from "./Screen.js"

const callers = 10_000

/** What `run` adds to the demo's own count of computations, and to the counts of the cache. */
const counting = <A, E, R>(questions: Questions, run: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const { stats } = yield* CacheBackend
    const [computedBefore, before] = yield* Effect.all([questions.computations, stats])
    const value = yield* run
    const [computedAfter, after] = yield* Effect.all([questions.computations, stats])
    return {
      value,
      computations: computedAfter - computedBefore,
      joined: after.joined - before.joined,
      hits: after.hits - before.hits,
      staleHits: after.staleHits - before.staleHits
    }
  })

const distances = (found: ReadonlyArray<Near>): string =>
  found.map(({ name, kilometres }) => `${name} ${kilometres} km`).join(", ")

const populations = (found: ReadonlyArray<City>): string =>
  found.map(({ name, country, population }) => `${name} (${country}) ${count(population)}`).join(", ")

/** Each question twice: once when nobody has asked it yet, then as long as its answer is fresh. */
export const coldAndHit = (questions: Questions) => (say: Say) =>
  Effect.gen(function* () {
    const ask = <Args extends ReadonlyArray<unknown>, A>(
      text: string,
      question: CachedFunction<Args, A, never, never>,
      args: Args,
      tell: (value: A) => string
    ) =>
      Effect.gen(function* () {
        yield* say(text)
        const cold = yield* counting(questions, timed(question(...args)))
        const [took, answer] = cold.value
        yield* expectCount(`computations of a cold call (${text})`, cold.computations, 1)
        const again = yield* counting(questions, repeated(question(...args)))
        yield* expectCount(`computations of ${again.value.calls} hits (${text})`, again.computations, 0)
        return [row(text, time(took), time(again.value.median), count(again.value.calls)), `  ${tell(answer)}`]
      })
    return [
      row("", "cold", "hit, median", "of hits"),
      ...(yield* ask("nearest to 38.72 N, 9.14 W", questions.nearest, [38.72, -9.14], distances)),
      ...(yield* ask("nearest to 35.68 N, 139.69 E", questions.nearest, [35.68, 139.69], distances)),
      ...(yield* ask("largest of Brazil", questions.largest, ["BR"], populations)),
      ...(yield* ask("named like “san jose”", questions.named, ["san jose"], populations))
    ]
  })

/** 10,000 fibers ask at once what nobody has asked yet. */
export const stampede = (questions: Questions) => (say: Say) =>
  Effect.gen(function* () {
    let answered = 0
    const one = Effect.tap(questions.nearest(48.86, 2.35), () =>
      ++answered % 500 === 0 ? say(`${count(answered)} of ${count(callers)} have their answer`) : Effect.void
    )
    const [took, seen] = yield* timed(
      counting(
        questions,
        Effect.forEach(Arr.range(1, callers), () => one, { concurrency: "unbounded" })
      )
    )
    yield* expectCount("computations for one cold key", seen.computations, 1)
    const first = JSON.stringify(seen.value[0])
    yield* expectCount(
      "callers with the same answer",
      seen.value.filter((answer) => JSON.stringify(answer) === first).length,
      callers
    )
    return [
      `computations: ${seen.computations} · callers that shared it: ${count(seen.joined)} · all answered after ${time(took)}`,
      `  ${distances(seen.value[0] ?? [])}`
    ]
  })

/** 10,000 fibers ask for an answer that is past its time to live. */
export const stale = (questions: Questions) => (say: Say) =>
  Effect.gen(function* () {
    const [cold, { edition: old }] = yield* timed(questions.ranking("IN"))
    yield* say("waiting until the answer is past its time to live")
    yield* Effect.sleep("600 millis")
    yield* say(`${count(callers)} callers ask`)
    const [took, seen] = yield* timed(
      counting(
        questions,
        Effect.forEach(Arr.range(1, callers), () => timed(questions.ranking("IN")), { concurrency: "unbounded" })
      )
    )
    const [served, renewed] = Arr.partition(seen.value, ([, { edition }]) => edition !== old)
    const waited = renewed.length - seen.hits
    yield* expectCount("computations for one stale key", seen.computations, 1)
    yield* expectCount("callers that waited for the computation", waited, 1)
    const late = seen.hits === 0 ? "" : ` · asked after it, got the new answer: ${count(seen.hits)}`
    return [
      `computations: ${seen.computations} · callers that waited: ${waited} · served the old answer: ${count(served.length)}${late}`,
      `all answered after ${time(took)}; a cold call had taken ${time(cold)}`
    ]
  })

/** The first of 100 callers, for whom the computation was begun, leaves while it runs. On a busy machine it may come too late. */
export const firstLeaves = (questions: Questions) => (say: Say) =>
  leaving(questions, say, 151.21).pipe(
    Effect.catchTag("CameTooLate", () => leaving(questions, say, 151.22)),
    Effect.catchTag("CameTooLate", () => leaving(questions, say, 151.23))
  )

class CameTooLate extends Data.TaggedError("CameTooLate") {
  override readonly message = "the first caller was to leave before it had its answer"
}

const leaving = (questions: Questions, say: Say, longitude: number) =>
  Effect.gen(function* () {
    const others = 99
    const [took, seen] = yield* timed(
      counting(
        questions,
        Effect.gen(function* () {
          const before = yield* questions.computations
          const call = questions.fromAfar(-33.87, longitude)
          const first = yield* Effect.fork(call)
          while ((yield* questions.computations) === before) yield* Effect.yieldNow()
          const waiting = yield* Effect.fork(Effect.all(Arr.replicate(call, others), { concurrency: "unbounded" }))
          yield* Effect.sleep("100 millis")
          const left = yield* Fiber.interrupt(first)
          yield* say("the first caller has left")
          return { left, answers: yield* Fiber.join(waiting) }
        })
      )
    )
    const { left, answers } = seen.value
    if (left._tag === "Success") return yield* new CameTooLate()
    yield* expectCount("computations", seen.computations, 1)
    yield* expectCount("callers that got the answer", answers.length, others)
    return [
      `computations: ${seen.computations} · callers interrupted: 1 · callers that got the answer: ${answers.length} · ${time(took)}`,
      `  ${distances(answers[0] ?? [])}`
    ]
  })

const fillFor = 2_000
const mostEntries = 10_000
const fillStep = 500

/** Thousands of entries in one group, and one write. */
export const invalidation = (questions: Questions, cities: ReadonlyArray<City>) => (say: Say) =>
  Effect.gen(function* () {
    const cache = yield* CacheBackend
    const keys: Array<string> = []
    const end = (yield* Clock.currentTimeMillis) + fillFor
    const [filling] = yield* timed(
      Effect.gen(function* () {
        while (keys.length < mostEntries && (keys.length === 0 || (yield* Clock.currentTimeMillis) < end)) {
          const some = cities.slice(keys.length, keys.length + fillStep)
          yield* Effect.forEach(some, ({ id }) => questions.card(id), { concurrency: "unbounded" })
          for (const { id } of some) keys.push(questions.card.cacheKey(id))
          yield* say(`${count(keys.length)} entries`)
        }
      })
    )
    const before = (yield* cache.getMany(keys)).size
    yield* expectCount("entries before", before, keys.length)
    const [took, [operations]] = yield* timed(countingOperations(invalidateGroup(group)))
    const after = (yield* cache.getMany(keys)).size
    yield* expectCount("entries after", after, 0)
    yield* expectCount("store operations", operations, 1)
    const answers = yield* Effect.either(questions.largest.requireCache("BR"))
    if (Either.isRight(answers)) return yield* new BrokenPromise({ message: "an answer outlived its group" })
    return [
      `entries before: ${count(before)} (filled in ${time(filling)}) · after: ${count(after)}`,
      `store operations: ${operations} · ${time(took)}; the answers of the questions above are gone too`
    ]
  })

/** What the cache says it has done. */
export const summary = Effect.gen(function* () {
  const stats = yield* Effect.flatMap(CacheBackend, (cache) => cache.stats)
  return [
    `hits ${count(stats.hits)}`,
    `stale hits ${count(stats.staleHits)}`,
    `misses ${count(stats.misses)}`,
    `joined ${count(stats.joined)}`,
    `computed ${count(stats.computed)}`,
    ...Option.match(stats.entries, { onNone: () => [], onSome: (entries) => [`records ${count(entries)}`] })
  ].join(" · ")
})
