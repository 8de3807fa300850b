/** The fiber that runs now, and what it carries: services, SQL transaction, time, log level. Read synchronously. */
import {
  Clock,
  type Context,
  DefaultServices,
  Effect,
  Fiber,
  FiberRef,
  LogLevel,
  type MetricLabel,
  Option,
  Tracer
} from "effect"

/** The fiber of the caller. Its services can be read without an operation of the runtime. */
export type CallingFiber = Fiber.RuntimeFiber<unknown, unknown>

/** Gives the calling fiber to `use`, in one operation of the runtime. */
export const withFiber = <A, E = never, R = never>(
  use: (fiber: CallingFiber) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => Effect.withFiberRuntime<A, E, R>(use)

/** The fiber whose code runs now, if any. */
export const currentFiber = (): CallingFiber | undefined => Option.getOrUndefined(Fiber.getCurrentFiber())

/** The service in the fiber's context, if it was provided. */
export const serviceOf = <I, S>(fiber: CallingFiber, tag: Context.Tag<I, S>): S | undefined =>
  // The map is untyped; the service under a tag's key has the tag's type.
  fiber.currentContext.unsafeMap.get(tag.key) as S | undefined

/** Gives the calling fiber and the service to `use`. */
export const withService = <I, S, A, E, R>(
  tag: Context.Tag<I, S>,
  use: (fiber: CallingFiber, service: S) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R | I> =>
  withFiber<A, E, R | I>((fiber) => {
    const service = serviceOf(fiber, tag)
    // Without the service the tag itself dies, and says what is missing.
    return service === undefined ? Effect.flatMap(tag, (own) => use(fiber, own)) : use(fiber, service)
  })

// The tags are known by their keys, because the core loads no SQL client.
const transactionKey = "@effect/sql/SqlClient/TransactionConnection"
/** `@effect/sql-libsql` marks its transactions by a tag of its own. */
export const libsqlTransactionKey = "@effect/sql-libsql/LibsqlClient/LibsqlTransaction"

/**
 * Whether the fiber is inside a SQL transaction. A computation there may read what is never committed, so its value is stored in no
 * backend (`ReadThrough.ts` decides that).
 */
export const isInTransaction = (fiber: CallingFiber): boolean => {
  const { unsafeMap } = fiber.currentContext
  return unsafeMap.has(transactionKey) || unsafeMap.has(libsqlTransactionKey)
}

export const inTransaction: Effect.Effect<boolean> = withFiber((fiber) => Effect.succeed(isInTransaction(fiber)))

/** Milliseconds on the fiber's Clock. */
export const nowMillis = (fiber: CallingFiber): number => {
  // Every fiber carries the default services; the map is untyped.
  const clock = fiber.currentDefaultServices.unsafeMap.get(Clock.Clock.key) as Clock.Clock
  return clock.unsafeCurrentTimeMillis()
}

/** Milliseconds on the Clock, as an Effect. */
export const now: Effect.Effect<number> = withFiber((fiber) => Effect.succeed(nowMillis(fiber)))

/** Whether the fiber's log level lets debug logs through. */
export const debugIsOn = (fiber: CallingFiber): boolean =>
  fiber.getFiberRef(FiberRef.currentMinimumLogLevel).ordinal <= LogLevel.Debug.ordinal

/** The labels that the program gives to all metrics of the fiber (`Effect.tagMetrics`). */
export const metricLabels = (fiber: CallingFiber): ReadonlyArray<MetricLabel.MetricLabel> =>
  fiber.getFiberRef(FiberRef.currentMetricLabels)

// Effect's default tracer exports no spans, and making a span costs as much as a fast store's answer.
const defaultTracer = DefaultServices.liveServices.unsafeMap.get(Tracer.Tracer.key)

/** Whether the program has installed a tracer. */
export const hasTracer = (fiber: CallingFiber): boolean => fiber.currentTracer !== defaultTracer
