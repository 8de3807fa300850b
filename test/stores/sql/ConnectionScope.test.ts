import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, ExecutionStrategy, Exit, Scope } from "effect"
import { ConnectionScope } from "../../../src/internal/stores/sql/ConnectionScope.js"

const within = <A, E>(use: Effect.Effect<A, E, Scope.Scope>, end: (scope: ConnectionScope) => Effect.Effect<unknown>) =>
  Effect.flatMap(Effect.context<never>(), (context) => {
    const scope = new ConnectionScope(context)
    return Effect.zipRight(scope.enter(use), end(scope))
  })

describe("the scope of a connection", () => {
  it.effect("runs all finalizers, the last first, whether or not one of them dies; and tells of that", () =>
    Effect.gen(function* () {
      const run: Array<string> = []
      const finalizer = (name: string, then: Effect.Effect<void> = Effect.void) =>
        Effect.addFinalizer(() =>
          Effect.zipRight(
            Effect.sync(() => run.push(name)),
            then
          )
        )
      const ending = yield* Effect.exit(
        within(
          Effect.all([finalizer("first"), finalizer("second", Effect.die("defect")), finalizer("third")]),
          (scope) => scope.close(Exit.succeed("rows"))
        )
      )
      assert.deepStrictEqual(run, ["third", "second", "first"])
      assert.deepStrictEqual(ending, Exit.die("defect"))
    })
  )

  it.effect("gives the exit it was closed with, and puts the fiber's own scope back", () =>
    Effect.gen(function* () {
      const own = yield* Effect.scope
      const failed = yield* Effect.exit(
        within(
          Effect.addFinalizer(() => Effect.void),
          (scope) => scope.close(Exit.failCause(Cause.die("no")))
        )
      )
      assert.deepStrictEqual(failed, Exit.die("no"))
      assert.strictEqual(yield* Effect.scope, own)
    }).pipe(Effect.scoped)
  )

  it.effect("runs at once what is added after its close, and closes what was forked from it", () =>
    Effect.gen(function* () {
      const run: Array<string> = []
      const note = (name: string) => () => Effect.sync(() => run.push(name))
      const scope = new ConnectionScope(Context.empty())
      const child = yield* scope.fork(ExecutionStrategy.sequential)
      yield* Scope.addFinalizer(child, Effect.suspend(note("child")))
      yield* scope.close(Exit.void)
      assert.deepStrictEqual(run, ["child"])
      yield* scope.addFinalizer(note("late"))
      assert.deepStrictEqual(run, ["child", "late"])
    })
  )
})
