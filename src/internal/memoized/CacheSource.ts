/** Where the calls of a memoized function find their cache: under a tag in their fiber, or it is the cache that made the function. */
import { type Context, Effect } from "effect"
import { CacheBackend, type CacheBackendService } from "../../CacheBackend.js"
import { type CallingFiber, serviceOf } from "../runtime/fiber.js"

/** Of whatever name. `CacheBackend` stands for all of them in the types: what the users of a function see is its signature. */
export type CacheTag = Context.Tag<CacheBackend, CacheBackendService>

export class CacheSource {
  private constructor(
    private readonly tag: CacheTag,
    private readonly known: CacheBackendService | undefined
  ) {}

  static readonly usual = new CacheSource(CacheBackend, undefined)

  static under(tag: CacheTag | undefined): CacheSource {
    return tag === undefined ? CacheSource.usual : new CacheSource(tag, undefined)
  }

  static from(cache: CacheBackendService): CacheSource {
    return new CacheSource(CacheBackend, cache)
  }

  /** `undefined` if the fiber has none. */
  of(fiber: CallingFiber): CacheBackendService | undefined {
    return this.known ?? serviceOf(fiber, this.tag)
  }

  /** The same as an Effect, which dies if the fiber has none. */
  get cache(): Effect.Effect<CacheBackendService, never, CacheBackend> {
    return this.known === undefined ? this.tag : Effect.succeed(this.known)
  }
}
