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

/**
 * What a batch found out, as the exit of each of its requests: asked for them in order, when their callers are told, so that
 * no array holds what was made for all of them.
 */
export type Outcomes<Request, Answer, E> = (request: Request) => Exit.Exit<Answer, E>

export interface GatherOptions<Request, Answer, E> {
  /** Failing as a whole fails every caller of the batch. */
  readonly run: (requests: ReadonlyArray<Request>) => Effect.Effect<Outcomes<Request, Answer, E>, E>
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
    readonly sender: Sender,
    /** Emptied once they have their answers: see `make`. */
    readonly waiters: Array<Waiter<Request, Answer, E>>,
    readonly deadline: number
  ) {}
}

/**
 * A fiber that sends one batch after the other. A fiber for each batch would take Effect more than all else that it does for
 * one, and be kept alive with what it was answered: see `make`.
 */
class Sender {
  fiber: Fiber.RuntimeFiber<void> | undefined
  private wasWoken = false
  private resume: ((woken: Effect.Effect<void>) => void) | undefined

  /** Until it is woken; in any case until the fibers that are ready to run have had their turn. */
  readonly sleep: Effect.Effect<void> = Effect.suspend(() => {
    if (!this.wasWoken)
      return Effect.async((resume) => {
        this.resume = resume
      })
    this.wasWoken = false
    return Effect.yieldNow()
  })

  wake(): void {
    const { resume } = this
    this.resume = undefined
    if (resume === undefined) this.wasWoken = true
    else resume(Effect.void)
  }
}

/** How requests are handed in. */
export interface Gatherer<Request, Answer, E> {
  readonly request: (request: Request) => Effect.Effect<Answer, E>
  /** The same by a callback, for those who need not be able to give up. */
  readonly ask: (request: Request, resume: (exit: Exit.Exit<Answer, E>) => void) => void
}

/** A defect in it is that caller's alone: the others must not go without an answer. */
const outcomeOf = <Request, Answer, E>(outcomes: Outcomes<Request, Answer, E>, request: Request) => {
  try {
    return outcomes(request)
  } catch (defect) {
    return Exit.die(defect)
  }
}

/** Fewer than this the server answers sooner than a second batch would pay. */
const worthHalving = 16

/**
 * What lives long must not keep alive what was short-lived: V8 moves it among the old objects, where it stays until the next
 * full collection and keeps alive what it knows in turn. Hence arrays that held waiters are left empty, and nothing that
 * changes with each batch stands in a `Set` or `Map`, whose outgrown tables know the next one. Together that was a fifth of
 * a hit's time.
 */
export const make = <Request, Answer, E>(
  options: GatherOptions<Request, Answer, E>
): Effect.Effect<Gatherer<Request, Answer, E>, never, Scope.Scope> =>
  Effect.gen(function* () {
    type Ended = Exit.Exit<Outcomes<Request, Answer, E>, E>
    const clock = yield* Effect.clock
    const runFork = Runtime.runFork(yield* Effect.runtime<never>())
    let queue: Array<Waiter<Request, Answer, E>> = []
    // in the order of their deadlines
    const underWay: Array<Batch<Request, Answer, E>> = []
    const idle: Array<Sender> = []
    let sending = 0
    // a sender is on its way that has not yet taken its share
    let gathering = false
    let watcher: Fiber.RuntimeFiber<void> | undefined
    let isClosed = false

    const take = (sender: Sender): Batch<Request, Answer, E> => {
      if (queue.some((waiter) => waiter.isGone)) queue = queue.filter((waiter) => !waiter.isGone)
      const most = underWay.length === 0 && queue.length > worthHalving ? Math.ceil(queue.length / 2) : queue.length
      let size = 0
      let count = 0
      for (const waiter of queue) {
        size += options.sizeOf(waiter.request)
        if (count === most || (count > 0 && size > options.maxSize)) break
        count++
      }
      const waiters = queue.splice(0, count)
      return new Batch(sender, waiters, clock.unsafeCurrentTimeMillis() + options.timeout)
    }

    const finish = (batch: Batch<Request, Answer, E>, exit: Ended): void => {
      underWay.splice(underWay.indexOf(batch), 1)
      for (const waiter of batch.waiters) {
        if (Exit.isSuccess(exit)) waiter.resume(outcomeOf(exit.value, waiter.request))
        else if (Exit.isInterrupted(exit)) waiter.resume(Exit.fail(options.closed()))
        else waiter.resume(Exit.failCause(exit.cause))
      }
      batch.waiters.length = 0
      sending--
      if (queue.length > 0) start()
      endWatch()
    }

    const serve = (sender: Sender): Effect.Effect<void> => {
      const next = Effect.suspend(() => (isClosed ? Effect.void : Effect.flatMap(sender.sleep, () => send)))
      const send: Effect.Effect<void> = Effect.suspend(() => {
        const batch = take(sender)
        gathering = false
        if (batch.waiters.length === 0) {
          sending--
          idle.push(sender)
          return next
        }
        underWay.push(batch)
        if (queue.length > 0) start()
        // not at once: it must not end before it is known
        watcher ??= runFork(watch, { immediate: false })
        return Effect.flatMap(Effect.exit(options.run(batch.waiters.map((waiter) => waiter.request))), (exit) => {
          // given up, and about to be interrupted
          if (!underWay.includes(batch)) return Effect.void
          // before they are told: more may wait already, for whom it need not be another
          idle.push(sender)
          finish(batch, exit)
          return next
        })
      })
      return send
    }

    const start = (): void => {
      if (gathering || isClosed || sending >= options.concurrency) return
      gathering = true
      sending++
      const rested = idle.pop()
      if (rested === undefined) hire()
      else rested.wake()
    }

    const hire = (): void => {
      const sender = new Sender()
      // not at once: the fibers that are about to ask join this batch
      const fiber = runFork(serve(sender), { immediate: false })
      sender.fiber = fiber
      // a scope for each would take longer than all else that a lone caller waits for here
      options.running.add(fiber)
      fiber.addObserver((exit) => {
        const left = underWay.find((batch) => batch.sender === sender)
        if (left !== undefined) finish(left, Exit.zipRight(exit, Exit.fail(options.closed())))
      })
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
      const { fiber } = batch.sender
      return fiber === undefined ? watch : Effect.zipRight(Fiber.interruptFork(fiber), watch)
    })

    // it is no fiber of the scope, for those who were sent keep their time limit while that closes
    const endWatch = (): void => {
      if (isClosed && underWay.length === 0) watcher?.unsafeInterruptAsFork(watcher.id())
    }

    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        isClosed = true
        const left = queue
        queue = []
        for (const waiter of left) waiter.resume(Exit.fail(options.closed()))
        for (const sender of idle) sender.wake()
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
