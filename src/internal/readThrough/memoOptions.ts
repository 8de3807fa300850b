/**
 * Checks `MemoOptions` once, when a function is memoized, so that a call has nothing to check.
 */
import { Duration, type Effect, Either, Option } from "effect"
import type { CacheError } from "../../CacheError.js"
import type { FailureOptions, MemoOptions } from "../../CacheOptions.js"
import { codecFor, type ValueCodec, type ValueSchema } from "../entries/ValueCodec.js"
import { boundedNumber, durationMillis, returnedMillis } from "../options.js"
import type { FailurePolicy, Policy } from "./request.js"

type Refresh<A, Args extends ReadonlyArray<unknown>> = (
  this: unknown,
  previous: A,
  ...args: Args
) => Effect.Effect<Option.Option<A>, unknown, unknown>

export interface Definition<A, Args extends ReadonlyArray<unknown>> {
  readonly policy: Omit<Policy<A>, "ttl">
  /** Milliseconds; `undefined` where the layer's default applies. */
  readonly ttl: (receiver: unknown, value: A, args: Args) => Either.Either<number | undefined, CacheError>
  /** The names of the groups, or a function of the arguments that returns them. */
  readonly groups: ReadonlyArray<string> | ((this: unknown, ...args: Args) => ReadonlyArray<string>)
  readonly codec: (payloads: "references" | "bytes") => ValueCodec<A>
  readonly refresh: Refresh<A, Args> | undefined
  readonly failureSchema: ValueSchema<unknown> | undefined
}

const defaultStale = Duration.seconds(30)
const defaultLease = Duration.seconds(10)
const defaultMaxLease = Duration.minutes(10)

const worthKeeping = (value: unknown): boolean =>
  value !== undefined && value !== null && !(Option.isOption(value) && Option.isNone(value))

/** Milliseconds that the caller who recomputes an old value waits. */
const softTimeoutOf = (
  operation: string,
  { revalidate, softTimeout }: Pick<MemoOptions<unknown>, "revalidate" | "softTimeout">
): Either.Either<number, CacheError> =>
  softTimeout === undefined
    ? Either.right(revalidate === "background" ? 0 : Number.POSITIVE_INFINITY)
    : durationMillis(operation, "softTimeout", softTimeout)

const failurePolicyOf = (
  operation: string,
  options: FailureOptions<unknown> | undefined
): Either.Either<FailurePolicy | undefined, CacheError> => {
  if (options === undefined) return Either.right(undefined)
  const { ttl, when = () => true } = options
  if (typeof ttl === "function") {
    return Either.right({ when, ttl: (error) => returnedMillis(operation, ttl(error), "failures.ttl") })
  }
  return Either.map(durationMillis(operation, "failures.ttl", ttl), (fixed) => ({
    when,
    ttl: () => Either.right(fixed)
  }))
}

export const define = <A, Args extends ReadonlyArray<unknown>>(
  operation: string,
  options: MemoOptions<A, Args>
): Either.Either<Definition<A, Args>, CacheError> =>
  Either.gen(function* () {
    const { ttl } = options
    const stale = yield* durationMillis(operation, "stale", options.stale ?? defaultStale)
    const lease = yield* durationMillis(operation, "lease", options.lease ?? defaultLease)
    yield* boundedNumber(operation, "lease in milliseconds", lease, 1, Number.MAX_SAFE_INTEGER)
    const maxLease = yield* durationMillis(operation, "maxLease", options.maxLease ?? defaultMaxLease)
    yield* boundedNumber(operation, "maxLease in milliseconds", maxLease, 1, Number.POSITIVE_INFINITY)
    const fixedTtl =
      ttl === undefined || typeof ttl === "function" ? undefined : yield* durationMillis(operation, "ttl", ttl)
    return {
      policy: {
        stale,
        lease: Math.min(lease, maxLease),
        maxLease,
        earlyRefresh: yield* boundedNumber(operation, "earlyRefresh", options.earlyRefresh ?? 0, 0, 1_000),
        jitter: yield* boundedNumber(operation, "jitter", options.jitter ?? 0, 0, 1),
        cacheWhen: options.cacheWhen ?? worthKeeping,
        background: options.revalidate === "background",
        softTimeout: yield* softTimeoutOf(operation, options),
        failures: yield* failurePolicyOf(operation, options.failures),
        finish: options.finish ?? false,
        staleOnError: options.staleOnError ?? true
      },
      ttl:
        typeof ttl === "function"
          ? (receiver, value, args) => returnedMillis(operation, ttl.call(receiver, value, ...args))
          : () => Either.right(fixedTtl),
      groups: options.groups ?? [],
      codec: (payloads) => codecFor(payloads, options.schema),
      refresh: options.refresh,
      failureSchema: options.failures?.schema
    }
  })

export const policyOf = <A>(definition: Definition<A, ReadonlyArray<unknown>>, defaultTtl: number): Policy<A> => ({
  ...definition.policy,
  ttl: (receiver, value, args) => Either.map(definition.ttl(receiver, value, args), (ttl) => ttl ?? defaultTtl)
})
