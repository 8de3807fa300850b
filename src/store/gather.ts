/**
 * Gathers the requests of concurrent fibers into batches: what is asked while the scheduler still runs other fibers, or
 * while every batch that may be under way is, goes out together.
 *
 * - Of many waiters half go out at once and the rest right after them, so that the server has work while this process deals
 *   with an answer.
 * - A lone caller waits for no timer: only for the fibers that are ready to run anyway.
 * - A request is only ever answered by a batch that was sent after it was asked. Otherwise a read could return what stood
 *   there before a write that its own caller had seen completed.
 * - Batches run in fibers of their own, so that a caller who is interrupted takes nothing from the others.
 */
import { Cause, Duration, Effect, Exit, Fiber, FiberRef, Runtime, RuntimeFlags, type Scope } from "effect"
import type { Running } from "./Running.js"

export interface GatherOptions<Request, Answer, E> {
  /** One exit a request, in order. Failing as a whole fails every caller of the batch. */
  readonly run: (requests: ReadonlyArray<Request>) => Effect.Effect<ReadonlyArray<Exit.Exit<Answer, E>>, E>
  /** What a request counts for against `maxSize`. */
  readonly sizeOf: (request: Request) => number
  /** A batch holds at least one request, and no more of them than fit into this. */
  readonly maxSize: number
  /** How many batches may be under way at once. */
  readonly concurrency: number
  /** After so many milliseconds its callers leave a batch to itself, and it is interrupted. */
  readonly timeout: number
  readonly timedOut: () => E
  /** The error of those who have not been sent when the scope closes, ask afterwards, or are sent and not answered then. */
  readonly closed: () => E
  /** Where the batches run. Its end is to come after that of the scope, and gives them a moment to be answered. */
  readonly running: Running
}

/** A class, so that V8 never allocates it among the old objects as it does with literals: see `make`. */
class Waiter<Request, Answer, E> {
  constructor(
    readonly request: Request,
    readonly resume: (exit: Exit.Exit<Answer, E>) => void,
    /** The fiber that waits and can be interrupted, if it is one. */
    private readonly fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
  ) {}

  /** Looked up when it matters: a canceller would take twice as long as all else that a caller does here. */
  get isGone(): boolean {
    return this.fiber !== undefined && !Cause.isEmpty(this.fiber.getFiberRef(FiberRef.interruptedCause))
  }
}

class Batch<Request, Answer, E> {
  constructor(
    readonly fiber: Fiber.RuntimeFiber<unknown>,
    /** Emptied once they have their answers: see `make`. */
    readonly waiters: Array<Waiter<Request, Answer, E>>,
    readonly deadline: number
  ) {}
}

/** How requests are handed in. */
export interface Gatherer<Request, Answer, E> {
  readonly request: (request: Request) => Effect.Effect<Answer, E>
  /** The same by a callback, for those who need not be able to give up. */
  readonly ask: (request: Request, resume: (exit: Exit.Exit<Answer, E>) => void) => void
}

const noAnswers = Effect.succeed(Exit.succeed([]))

/** Fewer than this the server answers sooner than a second batch would pay. */
const worthHalving = 16

/**
 * Arrays that held waiters are left empty. V8 comes to allocate such arrays among the old objects, where a dead one keeps
 * alive what it holds until the next full collection: left full they doubled what a hit costs.
 */
export const make = <Request, Answer, E>(
  options: GatherOptions<Request, Answer, E>
): Effect.Effect<Gatherer<Request, Answer, E>, never, Scope.Scope> =>
  Effect.gen(function* () {
    type Answers = Exit.Exit<ReadonlyArray<Exit.Exit<Answer, E>>, E>
    type Sender = Fiber.RuntimeFiber<Answers>
    const clock = yield* Effect.clock
    const runFork = Runtime.runFork(yield* Effect.runtime<never>())
    let queue: Array<Waiter<Request, Answer, E>> = []
    // in the order of their deadlines
    const underWay = new Set<Batch<Request, Answer, E>>()
    let sending = 0
    // a batch fiber has been started that has not yet taken its share
    let gathering = false
    let watcher: Fiber.RuntimeFiber<void> | undefined
    let isClosed = false

    const take = (fiber: Sender): Batch<Request, Answer, E> => {
      if (queue.some((waiter) => waiter.isGone)) queue = queue.filter((waiter) => !waiter.isGone)
      const most = underWay.size === 0 && queue.length > worthHalving ? Math.ceil(queue.length / 2) : queue.length
      let size = 0
      let count = 0
      for (const waiter of queue) {
        size += options.sizeOf(waiter.request)
        if (count === most || (count > 0 && size > options.maxSize)) break
        count++
      }
      const waiters = queue.splice(0, count)
      return new Batch(fiber, waiters, clock.unsafeCurrentTimeMillis() + options.timeout)
    }

    const finish = (batch: Batch<Request, Answer, E>, exit: Answers): void => {
      if (!underWay.delete(batch)) return
      batch.waiters.forEach((waiter, index) => {
        const answer = Exit.isSuccess(exit) ? exit.value[index] : undefined
        if (answer !== undefined) waiter.resume(answer)
        else if (Exit.isFailure(exit) && !Exit.isInterrupted(exit)) waiter.resume(Exit.failCause(exit.cause))
        else waiter.resume(Exit.fail(options.closed()))
      })
      batch.waiters.length = 0
      sending--
      if (queue.length > 0) start()
      endWatch()
    }

    const send = Effect.withFiberRuntime<Answers>((fiber: Sender) => {
      const batch = take(fiber)
      gathering = false
      if (batch.waiters.length === 0) {
        sending--
        return noAnswers
      }
      underWay.add(batch)
      if (queue.length > 0) start()
      // not at once: it must not end before it is known
      watcher ??= runFork(watch, { immediate: false })
      // cheaper than a finalizer
      fiber.addObserver((exit) => finish(batch, Exit.flatten(exit)))
      return Effect.exit(options.run(batch.waiters.map((waiter) => waiter.request)))
    })

    const start = (): void => {
      if (gathering || isClosed || sending >= options.concurrency) return
      gathering = true
      sending++
      // not at once: the fibers that are about to ask join this batch
      const fiber = runFork(send, { immediate: false })
      // a scope for each would take longer than all else that a lone caller waits for here
      options.running.add(fiber)
    }

    // one timer for all batches: a timer each would cost a hit more than the rest of it
    const watch: Effect.Effect<void> = Effect.suspend(() => {
      const [batch] = underWay
      if (batch === undefined) {
        watcher = undefined
        return Effect.void
      }
      const left = batch.deadline - clock.unsafeCurrentTimeMillis()
      if (left > 0) return Effect.zipRight(clock.sleep(Duration.millis(left)), watch)
      finish(batch, Exit.fail(options.timedOut()))
      return Effect.zipRight(Fiber.interruptFork(batch.fiber), watch)
    })

    // it is no fiber of the scope, for those who were sent keep their time limit while that closes
    const endWatch = (): void => {
      if (isClosed && underWay.size === 0) watcher?.unsafeInterruptAsFork(watcher.id())
    }

    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        isClosed = true
        const left = queue
        queue = []
        for (const waiter of left) waiter.resume(Exit.fail(options.closed()))
        endWatch()
      })
    )

    const enqueue = (waiter: Waiter<Request, Answer, E>): void => {
      if (isClosed) waiter.resume(Exit.fail(options.closed()))
      else {
        queue.push(waiter)
        start()
      }
    }

    return {
      ask: (request, resume) => enqueue(new Waiter(request, resume, undefined)),
      request: (request) =>
        Effect.withFiberRuntime((fiber, { runtimeFlags }) => {
          const waiting = RuntimeFlags.interruptible(runtimeFlags) ? fiber : undefined
          return Effect.async<Answer, E>((resume) => enqueue(new Waiter(request, resume, waiting)))
        })
    }
  })
