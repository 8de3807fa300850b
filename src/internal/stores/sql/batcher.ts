/**
 * Puts the requests of concurrent fibers into batches: what is asked while the scheduler still runs other fibers, or while
 * all batches that may be under way are, goes out together.
 *
 * - If nothing is under way, half of many requests go out at once and the rest right after them: the server then works on one
 *   half while this process answers the other.
 * - A lone caller waits for no timer, only for the fibers that are ready to run anyway.
 * - A request is only ever answered by a batch that was sent after it was asked. Otherwise a read could return what stood
 *   there before a write that its own caller had seen completed.
 * - Batches run in fibers of their own, so a caller who is interrupted takes nothing from the others.
 */
import { Effect, Exit, type Scope } from "effect"
import { awaitCallback } from "../../runtime/callback.js"
import type { StatementFibers } from "./StatementFibers.js"

/** What a batch found out: the exit of each of its requests. Called once for each, when its caller is answered. */
export type Outcomes<Request, Answer, E> = (request: Request) => Exit.Exit<Answer, E>

export interface BatcherOptions<Request, Answer, E> {
  /** Sends a batch. If it fails, every caller of the batch fails. */
  readonly run: (requests: ReadonlyArray<Request>) => Effect.Effect<Outcomes<Request, Answer, E>, E>
  /** What a request counts for against `maxSize`. */
  readonly sizeOf: (request: Request) => number
  /** A batch holds at least one request, and no more of them than fit into this. */
  readonly maxSize: number
  /** How many batches may be under way at once. */
  readonly concurrency: number
  readonly fibers: StatementFibers<E>
}

export interface Batcher<Request, Answer, E> {
  readonly request: (request: Request) => Effect.Effect<Answer, E>
  /** The same by a callback, in half the time. It is sent even if its caller has been interrupted. */
  readonly ask: (request: Request, resume: (exit: Exit.Exit<Answer, E>) => void) => void
}

/** The server answers fewer requests than this sooner than a second batch would pay. */
const worthHalving = 16

/** Of a batch whose callers have all gone. */
const noOutcomes = (): Exit.Exit<never> => Exit.die(new Error("a batch without requests"))

const isWaiting = () => false

/** A class: V8 may put literals into old space. */
class Waiter<Request, Answer, E> {
  constructor(
    readonly request: Request,
    readonly resume: (exit: Exit.Exit<Answer, E>) => void,
    /** Whether its caller has been interrupted. */
    readonly isGone: () => boolean
  ) {}

  /** What throws here is this caller's defect: the others must be answered all the same. */
  answer(exit: Exit.Exit<Outcomes<Request, Answer, E>, E>): void {
    try {
      this.resume(Exit.flatMap(exit, (outcomes) => outcomes(this.request)))
    } catch (defect) {
      this.resume(Exit.die(defect))
    }
  }
}

export const make = <Request, Answer, E>(
  options: BatcherOptions<Request, Answer, E>
): Effect.Effect<Batcher<Request, Answer, E>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { concurrency, fibers, maxSize, run, sizeOf } = options
    let queue: Array<Waiter<Request, Answer, E>> = []
    let underWay = 0
    // a batch has been started that has not yet taken its requests
    let isStarting = false
    let isClosed = false

    /** The requests of the next batch. */
    const take = (): ReadonlyArray<Waiter<Request, Answer, E>> => {
      if (queue.some((waiter) => waiter.isGone())) queue = queue.filter((waiter) => !waiter.isGone())
      const most = underWay === 1 && queue.length > worthHalving ? Math.ceil(queue.length / 2) : queue.length
      let size = 0
      const end = queue.findIndex(({ request }, index) => {
        size += sizeOf(request)
        return index === most || (index > 0 && size > maxSize)
      })
      return queue.splice(0, end === -1 ? queue.length : end)
    }

    const start = (): void => {
      if (isStarting || isClosed || queue.length === 0 || underWay >= concurrency) return
      isStarting = true
      underWay++
      let batch: ReadonlyArray<Waiter<Request, Answer, E>> = []
      fibers.start(
        Effect.suspend(() => {
          batch = take()
          isStarting = false
          start()
          return batch.length === 0 ? Effect.succeed(noOutcomes) : run(batch.map(({ request }) => request))
        }),
        (exit) => {
          underWay--
          for (const waiter of batch) waiter.answer(exit)
          start()
        }
      )
    }

    const enqueue = (waiter: Waiter<Request, Answer, E>): void => {
      if (isClosed) waiter.resume(Exit.fail(fibers.closed()))
      else {
        queue.push(waiter)
        start()
      }
    }

    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        isClosed = true
        for (const { resume } of queue.splice(0)) resume(Exit.fail(fibers.closed()))
      })
    )

    return {
      ask: (request, resume) => enqueue(new Waiter(request, resume, isWaiting)),
      request: (request) => awaitCallback((resume, isGone) => enqueue(new Waiter(request, resume, isGone)))
    }
  })
