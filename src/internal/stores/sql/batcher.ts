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
import { Cause, Effect, Either, Exit, type Scope } from "effect"
import { awaitCallback } from "../../runtime/callback.js"
import type { StatementFibers } from "./StatementFibers.js"

/** What a batch found out. Called once for each of its requests, when the caller is answered. */
export type Answers<Request, Answer> = (request: Request) => Answer

export interface BatcherOptions<Request, Answer, E> {
  /** Sends a batch. If it fails, every caller of the batch fails. */
  readonly run: (requests: ReadonlyArray<Request>) => Effect.Effect<Answers<Request, Answer>, E>
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
  /**
   * `Effect.matchEffect` over it, in half the time: what the caller does next is made where the batch is answered. The request is
   * sent even if its caller has been interrupted.
   */
  readonly match: <A, E2, R>(
    request: Request,
    onAnswer: (answer: Answer) => Effect.Effect<A, E2, R>,
    onFailure: (error: E) => Effect.Effect<A, E2, R>
  ) => Effect.Effect<A, E2, R>
}

/** The server answers fewer requests than this sooner than a second batch would pay. */
const worthHalving = 16

/** Of a batch whose callers have all gone. */
const allGone = Effect.die("a batch without requests")

const isWaiting = () => false

/** Whom a batch answers. */
interface Caller<Request, Answer, E> {
  readonly request: Request
  /** Whether it has been interrupted. */
  readonly isGone: () => boolean
  readonly answer: (exit: Exit.Exit<Answers<Request, Answer>, E>) => void
}

/** A class: V8 may put literals into old space. */
class Waiter<Request, Answer, E, A, E2, R> implements Caller<Request, Answer, E> {
  constructor(
    readonly request: Request,
    private readonly onAnswer: (answer: Answer) => Effect.Effect<A, E2, R>,
    private readonly onFailure: (error: E) => Effect.Effect<A, E2, R>,
    private readonly resume: (next: Effect.Effect<A, E2, R>) => void,
    readonly isGone: () => boolean
  ) {}

  answer(exit: Exit.Exit<Answers<Request, Answer>, E>): void {
    this.resume(this.next(exit))
  }

  /** What throws here is this caller's defect: the others must be answered all the same. */
  private next(exit: Exit.Exit<Answers<Request, Answer>, E>): Effect.Effect<A, E2, R> {
    try {
      if (Exit.isSuccess(exit)) return this.onAnswer(exit.value(this.request))
      const failure = Cause.failureOrCause(exit.cause)
      return Either.isLeft(failure) ? this.onFailure(failure.left) : Effect.failCause(failure.right)
    } catch (defect) {
      return Effect.die(defect)
    }
  }
}

export const make = <Request, Answer, E>(
  options: BatcherOptions<Request, Answer, E>
): Effect.Effect<Batcher<Request, Answer, E>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { concurrency, fibers, maxSize, run, sizeOf } = options
    let queue: Array<Caller<Request, Answer, E>> = []
    let underWay = 0
    // a batch has been started that has not yet taken its requests
    let isStarting = false
    let isClosed = false

    /** The requests of the next batch. */
    const take = (): ReadonlyArray<Caller<Request, Answer, E>> => {
      if (queue.some((caller) => caller.isGone())) queue = queue.filter((caller) => !caller.isGone())
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
      let batch: ReadonlyArray<Caller<Request, Answer, E>> = []
      fibers.start(
        Effect.suspend(() => {
          batch = take()
          isStarting = false
          start()
          return batch.length === 0 ? allGone : run(batch.map(({ request }) => request))
        }),
        (exit) => {
          underWay--
          for (const caller of batch) caller.answer(exit)
          start()
        }
      )
    }

    const enqueue = (caller: Caller<Request, Answer, E>): void => {
      if (isClosed) caller.answer(Exit.fail(fibers.closed()))
      else {
        queue.push(caller)
        start()
      }
    }

    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        isClosed = true
        for (const caller of queue.splice(0)) caller.answer(Exit.fail(fibers.closed()))
      })
    )

    return {
      match: <A, E2, R>(
        request: Request,
        onAnswer: (answer: Answer) => Effect.Effect<A, E2, R>,
        onFailure: (error: E) => Effect.Effect<A, E2, R>
      ) => Effect.async<A, E2, R>((resume) => enqueue(new Waiter(request, onAnswer, onFailure, resume, isWaiting))),
      request: (request) =>
        awaitCallback((resume, isGone) => enqueue(new Waiter(request, Effect.succeed, Effect.fail, resume, isGone)))
    }
  })
