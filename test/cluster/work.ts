/** The fibers of a process: they run the operations of the plan on the public API, and record each. */
import { Cause, Data, Effect, Exit, Fiber, FiberRef, Option, Random } from "effect"
import { CacheBackend, type CacheError, cached, type NoCachedValue } from "effect-cached"
import { type Outcome, stamp } from "./history.js"
import { groupsOf, isGrouped, keysOf, operationsOf, type Plan, type PlannedOperation } from "./plan.js"
import type { Recorder } from "./recorder.js"

/** A cached value, with its origin. */
export interface Value {
  readonly id: string
  readonly of: string
}

class ComputeError extends Data.TaggedError("ComputeError")<Value> {}

const isValue = (value: unknown): value is Value =>
  typeof value === "object" && value !== null && "id" in value && "of" in value

const valueOutcome = (value: unknown): Outcome =>
  isValue(value)
    ? { _tag: "Value", id: value.id, of: value.of }
    : { _tag: "Defect", text: `not a value of this run: ${JSON.stringify(value)}` }

const failure = (cause: Cause.Cause<ComputeError | CacheError | NoCachedValue>): Outcome => {
  if (Cause.isInterruptedOnly(cause)) return { _tag: "Interrupted" }
  const error = Option.getOrUndefined(Cause.failureOption(cause))
  if (error === undefined) return { _tag: "Defect", text: Cause.pretty(cause) }
  switch (error._tag) {
    case "ComputeError":
      return { _tag: "ComputeError", id: error.id, of: error.of }
    case "CacheError":
      return { _tag: "CacheError", reason: error.reason }
    case "NoCachedValue":
      return { _tag: "Absent" }
  }
}

/** The operation that started a computation: the computation inherits the reference from its caller. */
const asking = FiberRef.unsafeMake({ forced: false, since: 0 })

export const work = (plan: Plan, index: number, life: number, recorder: Recorder) => {
  const process = `${index}.${life}`
  let made = 0
  const newValue = (key: string): Value => ({ id: `${process}:${++made}`, of: key })

  const compute = (key: string): Effect.Effect<Value, ComputeError> =>
    Effect.flatMap(FiberRef.get(asking), ({ forced, since }) =>
      Effect.suspend(() => {
        const value = newValue(key)
        recorder.write({ _tag: "Compute", id: value.id, key, forced, asked: since, at: stamp() })
        return Effect.flatMap(Effect.zip(Random.next, Random.next), ([duration, luck]) =>
          Effect.flatMap(Effect.sleep(duration * plan.slowestCompute), () =>
            luck < plan.failing ? Effect.fail(new ComputeError(value)) : Effect.succeed(value)
          )
        ).pipe(
          Effect.onExit((exit) =>
            Effect.sync(() => {
              const how = Exit.isSuccess(exit) ? "value" : Exit.isInterrupted(exit) ? "interrupted" : "error"
              recorder.write({ _tag: "Computed", id: value.id, at: stamp(), how })
            })
          )
        )
      })
    )

  const times = { ttl: plan.ttl, stale: plan.stale }
  const policy = { ...times, lease: plan.lease }
  const plain = cached(compute, { key: "plain", ...policy })
  const grouped = cached(compute, { key: "grouped", ...policy, groups: groupsOf })
  const functionOf = (key: string) => (isGrouped(key) ? grouped : plain)

  type Answer = Effect.Effect<(target: string) => Outcome, ComputeError | CacheError | NoCachedValue, CacheBackend>

  const giving = <A, E, R>(effect: Effect.Effect<A, E, R>, outcome: (value: A) => Outcome) =>
    Effect.map(effect, (value) => () => outcome(value))
  const done = (changed: boolean): Outcome => ({ _tag: "Done", changed })
  const optional = (found: Option.Option<unknown>): Outcome =>
    Option.isNone(found) ? { _tag: "Absent" } : valueOutcome(found.value)

  const run = ({ kind, patience, target }: PlannedOperation, value: Value): Answer => {
    const f = functionOf(target)
    const key = f.cacheKey(target)
    const options = { ...times, groups: groupsOf(target) }
    switch (kind) {
      case "call":
        return giving(f(target), valueOutcome)
      case "hurriedCall":
        // The caller is interrupted, as by a time limit. What it leaves behind must do no harm.
        return giving(
          Effect.flatMap(Effect.fork(f(target)), (fiber) =>
            Effect.raceFirst(
              Effect.flatMap(Fiber.await(fiber), (exit) => exit),
              Effect.zipRight(Effect.sleep(patience), Effect.zipRight(Fiber.interrupt(fiber), Effect.interrupt))
            )
          ),
          valueOutcome
        )
      case "requireCache":
        return giving(f.requireCache(target), valueOutcome)
      case "forceRecalc":
        return giving(f.forceRecalc(target), valueOutcome)
      case "invalidate":
        return giving(f.invalidate(target), () => ({ _tag: "Done" }))
      case "get":
        return giving(
          Effect.flatMap(CacheBackend, (cache) => cache.get(key)),
          optional
        )
      case "getMany":
        return Effect.map(
          Effect.flatMap(CacheBackend, (cache) =>
            cache.getMany(keysOf(plan).map((one) => functionOf(one).cacheKey(one)))
          ),
          (found) => (one) => optional(Option.fromNullable(found.get(functionOf(one).cacheKey(one))))
        )
      case "delete":
        return giving(
          Effect.flatMap(CacheBackend, (cache) => cache.delete(key)),
          done
        )
      case "set":
        return giving(
          Effect.flatMap(CacheBackend, (cache) => cache.set(key, value, options)),
          () => ({ _tag: "Done" })
        )
      case "add":
        return giving(
          Effect.flatMap(CacheBackend, (cache) => cache.add(key, value, options)),
          done
        )
      case "invalidateGroup":
        return giving(
          Effect.flatMap(CacheBackend, (cache) => cache.invalidateGroup(target)),
          () => ({ _tag: "Done" })
        )
    }
  }

  const perform = (operation: PlannedOperation) => {
    const value = newValue(operation.target)
    const { kind, target } = operation
    return recorder.operation(
      kind,
      kind === "getMany" ? keysOf(plan) : [target],
      kind === "set" || kind === "add" ? value.id : undefined,
      Effect.suspend(() =>
        Effect.locally(run(operation, value), asking, { forced: kind === "forceRecalc", since: stamp() })
      ),
      // The causes of `run` and no others.
      (cause) => failure(cause as Cause.Cause<ComputeError | CacheError | NoCachedValue>)
    )
  }

  const fiber = (number: number, until: number) =>
    Effect.gen(function* () {
      let made = 0
      for (const operation of operationsOf(plan, index, life, number)) {
        yield* Effect.sleep(operation.pause)
        if (stamp() > until && made >= plan.atLeast) return
        yield* perform(operation)
        made++
      }
    })

  /** @param until on the common clock */
  return (until: number): Effect.Effect<void, never, CacheBackend> =>
    Effect.forEach(Array.from({ length: plan.fibers }), (_, number) => fiber(number, until), {
      concurrency: "unbounded",
      discard: true
    })
}
