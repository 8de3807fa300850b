/** One call of a memoized function, for the read-through. */
import { Effect, type Option } from "effect"
import { CacheError } from "../../CacheError.js"
import type { Name } from "../entries/keyspace.js"
import type { ValueCodec } from "../entries/ValueCodec.js"
import type { LoadedRequest } from "../readThrough/many/Loader.js"
import type { Member } from "../readThrough/many/Member.js"
import type { Policy, Previous } from "../readThrough/request.js"
import type { AsyncContext } from "../runtime/asyncContext.js"
import type { Counters } from "../telemetry/counters.js"
import type { Warnings } from "../telemetry/warnings.js"
import type { Arguments, Parameters } from "./arguments/callArguments.js"
import type { Binding } from "./Binding.js"
import type { FunctionText } from "./Definitions.js"

/** The function or the effect that is memoized, as its `MemoizedFunction` sees it. */
export interface Memoizable<A, E, R> {
  readonly parameters: Parameters
  /** The name and the text of the function. Two effects can't be told apart by their texts. */
  readonly definition: (() => FunctionText) | undefined
  /** The key of a call with these arguments. */
  readonly print: (args: Arguments) => string | CacheError
  /** The key of a call, from what `keyArgs` returned. */
  readonly printPicked: (picked: unknown) => string | CacheError
  readonly compute: (receiver: unknown, args: Arguments) => Effect.Effect<A, E, R>
}

/** The memoized function that was called. */
interface Callee<A, E, R> {
  readonly target: Memoizable<A, E, R>
  readonly printed: (receiver: unknown, args: Arguments) => string | CacheError
}

/** One call, its key and groups finished. */
export class Request<A, E, R> implements LoadedRequest<A, E, R> {
  readonly key: string
  readonly policy: Policy<A>
  readonly codec: ValueCodec<A>
  readonly failureCodec: ValueCodec<E> | undefined
  readonly counters: Counters
  readonly warnings: Warnings
  asyncContext: AsyncContext | undefined
  previous: Previous<A> | undefined
  companion: Member<A, E, R> | undefined

  constructor(
    private readonly memoized: Callee<A, E, R>,
    readonly binding: Binding<A, E>,
    readonly name: Name,
    readonly groups: ReadonlyArray<string>,
    readonly receiver: unknown,
    readonly args: Arguments
  ) {
    this.key = name.finished
    this.policy = binding.policy
    this.codec = binding.codec
    this.failureCodec = binding.failureCodec
    this.counters = binding.counters
    this.warnings = binding.engine.warnings
  }

  get printed(): string {
    return this.name.printed
  }

  get compute(): Effect.Effect<A, E, R> {
    return this.companion?.compute ?? Effect.suspend(() => this.memoized.target.compute(this.receiver, this.args))
  }

  get refresh(): ((previous: A) => Effect.Effect<Option.Option<A>, E, R>) | undefined {
    const { refresh } = this.binding.definition
    return refresh === undefined
      ? undefined
      : // The errors and requirements of `refresh` are those of the function: `CachedOptions` says so.
        (previous) =>
          Effect.suspend(
            () => refresh.call(this.receiver, previous, ...this.args) as Effect.Effect<Option.Option<A>, E, R>
          )
  }

  hasOtherKeyNow(): boolean {
    try {
      const printed = this.memoized.printed(this.receiver, this.args)
      return printed instanceof CacheError || this.binding.engine.keyspace.finish(printed) !== this.key
    } catch {
      // `keyArgs` throws now.
      return true
    }
  }
}
