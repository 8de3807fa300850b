/** Checks the options of `cachedMany`. */
import { Either } from "effect"
import type { CachedOptions } from "../../../CachedFunction.js"
import type { CachedManyOptions } from "../../../CachedManyFunction.js"
import type { CacheError } from "../../../CacheError.js"
import { withAbsent } from "../../entries/absent.js"
import { durationMillis, positiveInteger } from "../../options.js"
import { type Definition, define } from "../../readThrough/memoOptions.js"
import { absent } from "../../values/absent.js"
import type { Arguments } from "../arguments/callArguments.js"

/** The key is the only argument of the callbacks. */
export type ManyOptions = CachedOptions<unknown, Arguments> &
  Pick<CachedManyOptions<unknown, unknown>, "batchSize" | "missing">

export interface ManyDefinition extends Definition<unknown, Arguments> {
  readonly batchSize: number
}

/** A value that is absent is kept for `missing`: neither `ttl` nor `cacheWhen` nor the schema is asked. */
export const defineMany = (operation: string, options: ManyOptions): Either.Either<ManyDefinition, CacheError> =>
  Either.gen(function* () {
    const { batchSize } = options
    if (batchSize !== undefined) yield* positiveInteger(operation, "batchSize", batchSize)
    const missing = options.missing === undefined ? 0 : yield* durationMillis(operation, "missing", options.missing)
    const definition = yield* define(operation, options)
    const { codec, policy, ttl } = definition
    return {
      ...definition,
      // It would go past the load.
      refresh: undefined,
      batchSize: batchSize ?? Number.POSITIVE_INFINITY,
      codec: (payloads) => withAbsent(payloads, codec(payloads)),
      policy: { ...policy, cacheWhen: (value) => (value === absent ? missing > 0 : policy.cacheWhen(value)) },
      ttl: (receiver, value, args) => (value === absent ? Either.right(missing) : ttl(receiver, value, args))
    }
  })
