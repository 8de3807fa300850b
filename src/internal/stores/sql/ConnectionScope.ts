/** The scope of one statement's connection. */
import { Context, Effect, ExecutionStrategy, Exit, FiberRef, Pipeable, Scope } from "effect"

/**
 * What `Effect.scoped` provides, in half of its steps: those around one statement took longer than all else that this
 * process does for it.
 */
export class ConnectionScope extends Pipeable.Class() implements Scope.Scope {
  readonly [Scope.ScopeTypeId]: Scope.ScopeTypeId = Scope.ScopeTypeId
  readonly strategy = ExecutionStrategy.sequential
  private readonly finalizers: Array<Scope.Scope.Finalizer> = []
  private closedWith: Exit.Exit<unknown, unknown> | undefined

  /** @param context of the fiber, to which `close` returns */
  constructor(private readonly context: Context.Context<never>) {
    super()
  }

  enter<A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, E> {
    const within = FiberRef.set(FiberRef.currentContext, Context.add(this.context, Scope.Scope, this))
    // provided by the step before it
    return Effect.zipRight(within, effect as Effect.Effect<A, E>)
  }

  /** Releases the connection, and then ends with the exit. */
  close<A, E>(exit: Exit.Exit<A, E>): Effect.Effect<A, E> {
    return Effect.flatMap(FiberRef.set(FiberRef.currentContext, this.context), () => this.finalized(exit))
  }

  addFinalizer(finalizer: Scope.Scope.Finalizer): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.closedWith !== undefined) return Effect.asVoid(finalizer(this.closedWith))
      this.finalizers.push(finalizer)
      return Effect.void
    })
  }

  fork(strategy: ExecutionStrategy.ExecutionStrategy): Effect.Effect<Scope.CloseableScope> {
    return Effect.tap(Scope.make(strategy), (child) => this.addFinalizer((exit) => Scope.close(child, exit)))
  }

  private finalized<A, E>(exit: Exit.Exit<A, E>): Effect.Effect<A, E> {
    this.closedWith = exit
    const last = this.finalizers.pop()
    return last === undefined
      ? exit
      : Effect.flatMap(Effect.exit(last(exit)), (released) => this.finalized(Exit.zipLeft(exit, released)))
  }
}
