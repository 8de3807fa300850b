/**
 * The fibers in which a layer's statements run. No caller owns one, so a caller who is interrupted takes nothing from the
 * others. Every statement has a time limit, and a moment to end by itself when the layer closes.
 *
 * A fiber runs one statement after the other: to start one for each would make a lone read a tenth slower.
 */
import { Effect, Exit, Fiber, FiberSet, Scope } from "effect"
import { eventLoopTurn, ServerTime } from "../../runtime/eventLoop.js"
import type { CallingFiber } from "../../runtime/fiber.js"

/** A healthy server needs less than this to end a statement. */
const grace = "500 millis"
/** The driver of PostgreSQL takes 5 seconds at most to cancel a statement. */
const longestCancel = "6 seconds"
/** So many fibers wait for their next statement; further ones end. */
const mostIdle = 16

export interface StatementFibersOptions<E> {
  /** In milliseconds. */
  readonly timeout: number
  readonly timedOut: () => E
  /** The error of a statement that has waited so long for a connection. Finding it out may take a moment. */
  readonly noConnection: Effect.Effect<E>
  /** The error of a statement that has not ended when the layer closes. */
  readonly closed: () => E
}

export interface StatementFibers<E> {
  /**
   * Runs the statement after the fibers that are ready to run now. `onEnd` is called once: with the statement's exit, or with
   * an error when its time is over or the layer closes. It must not throw.
   */
  readonly start: <A>(statement: Effect.Effect<A, E>, onEnd: (exit: Exit.Exit<A, E>) => void) => void
  /** Runs the statement and waits for it. A caller who is interrupted leaves at once, and the statement is cancelled. */
  readonly run: <A>(statement: Effect.Effect<A, E>) => Effect.Effect<A, E>
  readonly closed: () => E
  /** The statement that runs in this fiber now waits for a connection: its time begins again, as that of a wait. */
  readonly awaitsConnection: (fiber: CallingFiber) => void
  /** The statement has a connection: the time that the database has for it begins. */
  readonly isSent: (fiber: CallingFiber) => void
}

/** A fiber and the statement that it runs. A class, as the next: V8 may put literals into old space. */
class Worker<E> {
  fiber: Fiber.RuntimeFiber<void> | undefined
  running: Running<E> | undefined
  /** Gives an idle worker its next statement, or its end. */
  resume: (next: Effect.Effect<void>) => void = () => {}
}

class Running<E> {
  deadline = Number.POSITIVE_INFINITY
  awaitsConnection = false

  constructor(
    readonly worker: Worker<E>,
    readonly fail: (error: E) => void
  ) {}
}

export const make = <E>(options: StatementFibersOptions<E>): Effect.Effect<StatementFibers<E>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { closed, noConnection, timedOut, timeout } = options
    const clock = yield* Effect.clock
    const time = new ServerTime(clock)
    const running: Array<Running<E>> = []
    const workers = new WeakMap<CallingFiber, Worker<E>>()
    const idle: Array<Worker<E>> = []
    let isClosing = false

    /** Its worker takes no other statement. */
    const giveUp = (statement: Running<E>, error: E): Effect.Effect<void> => {
      const { fiber, running } = statement.worker
      if (running !== statement || fiber === undefined) return Effect.void
      statement.fail(error)
      return Fiber.interruptFork(fiber)
    }

    /** Unless it gets a connection while the reason is found out. */
    const giveUpWaiting = (statement: Running<E>) => {
      statement.deadline = Number.POSITIVE_INFINITY
      return Effect.flatMap(noConnection, (error) =>
        statement.awaitsConnection ? giveUp(statement, error) : Effect.void
      )
    }

    // one timer for all statements: a timer each would cost a hit more than the rest of it
    const anyRunning = yield* Effect.makeLatch(false)
    const endFirst = Effect.suspend(() => {
      const first = running.reduce<Running<E> | undefined>(
        (first, one) => (first === undefined || one.deadline < first.deadline ? one : first),
        undefined
      )
      if (first === undefined) {
        anyRunning.unsafeClose()
        return Effect.void
      }
      const left = first.deadline - time.now()
      if (left > 0) return time.sleep(left)
      // its answer may lie in the process, unread
      return Effect.zipRight(
        eventLoopTurn,
        Effect.suspend(() => {
          if (first.deadline > time.now()) return Effect.void
          return first.awaitsConnection ? Effect.asVoid(Effect.fork(giveUpWaiting(first))) : giveUp(first, timedOut())
        })
      )
    })
    // ends after the statements, as scopes close backwards: until then they keep their time limit
    yield* Effect.forkScoped(Effect.forever(Effect.zipRight(anyRunning.await, endFirst)))

    const lifetime = yield* Scope.make()
    const fibers = yield* Scope.extend(FiberSet.make<void>(), lifetime)
    const fork = yield* FiberSet.runtime(fibers)()

    /**
     * A statement of PostgreSQL that is interrupted keeps its connection until the driver has cancelled it through another
     * one: in a pool of one that takes 5 seconds. So statements may end by themselves first. A fiber that waits for a
     * connection can't be interrupted, so the wait for it has an end.
     */
    const close = Effect.suspend(() => {
      isClosing = true
      for (const worker of idle.splice(0)) worker.resume(Effect.void)
      return FiberSet.awaitEmpty(fibers)
    }).pipe(
      Effect.timeoutOption(grace),
      Effect.zipRight(Effect.timeoutOption(Effect.disconnect(Scope.close(lifetime, Exit.void)), longestCancel)),
      Effect.interruptible,
      Effect.withClock(clock)
    )
    yield* Effect.addFinalizer(() =>
      Effect.map(close, () => {
        for (const { fail } of [...running]) fail(closed())
      })
    )

    const rest = (worker: Worker<E>): Effect.Effect<void> =>
      Effect.async((resume) => {
        worker.resume = resume
      })

    const spawn = (): Worker<E> => {
      const worker = new Worker<E>()
      const fiber = fork(rest(worker))
      worker.fiber = fiber
      workers.set(fiber, worker)
      // only who gives a statement up and the end of the layer interrupt a worker
      fiber.addObserver(() => worker.running?.fail(closed()))
      return worker
    }

    const begin = <A>(statement: Effect.Effect<A, E>, onEnd: (exit: Exit.Exit<A, E>) => void): Running<E> => {
      const worker = idle.pop() ?? spawn()
      const entry = new Running<E>(worker, (error) => end(Exit.fail(error)))
      const end = (exit: Exit.Exit<A, E>): void => {
        worker.running = undefined
        const at = running.indexOf(entry)
        if (at !== -1) running.splice(at, 1)
        onEnd(exit)
      }
      worker.running = entry
      worker.resume(
        Effect.suspend(() => {
          entry.deadline = time.now() + timeout
          running.push(entry)
          anyRunning.unsafeOpen()
          return Effect.flatMap(Effect.exit(statement), (exit) => {
            // given up, and about to be interrupted
            if (worker.running !== entry) return Effect.void
            end(exit)
            if (isClosing || idle.length >= mostIdle) return Effect.void
            idle.push(worker)
            return rest(worker)
          })
        })
      )
      return entry
    }

    const cancel = (entry: Running<E>) =>
      Effect.sleep(grace).pipe(
        Effect.zipRight(Effect.suspend(() => giveUp(entry, closed()))),
        Effect.withClock(clock),
        Effect.forkDaemon,
        Effect.asVoid
      )

    const restart = (fiber: CallingFiber, awaitsConnection: boolean): void => {
      const statement = workers.get(fiber)?.running
      if (statement === undefined) return
      statement.awaitsConnection = awaitsConnection
      statement.deadline = time.now() + timeout
    }

    return {
      awaitsConnection: (fiber) => restart(fiber, true),
      isSent: (fiber) => restart(fiber, false),
      start: (statement, onEnd) => {
        if (isClosing) onEnd(Exit.fail(closed()))
        else begin(statement, onEnd)
      },
      run: <A>(statement: Effect.Effect<A, E>) =>
        Effect.suspend(() =>
          isClosing ? Effect.fail(closed()) : Effect.async<A, E>((resume) => cancel(begin(statement, resume)))
        ),
      closed
    }
  })
