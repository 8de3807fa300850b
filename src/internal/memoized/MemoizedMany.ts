/** A memoized function of many keys. The entry of a key is the one that `MemoizedFunction` makes of a call with it. */
import { Array as Arr, Effect, Either, Option } from "effect"
import type { CacheBackendService } from "../../CacheBackend.js"
import { CacheError } from "../../CacheError.js"
import { absent } from "../entries/absent.js"
import { type Name, withContext } from "../entries/keyspace.js"
import type { LoadMany } from "../readThrough/many/Load.js"
import { Loader } from "../readThrough/many/Loader.js"
import type { CallingFiber } from "../runtime/fiber.js"
import { CacheSource } from "./CacheSource.js"
import type { FunctionText } from "./Definitions.js"
import { callPrinter, pickedPrinter } from "./keyOption.js"
import { type Binding, MemoizedFunction, type Request } from "./MemoizedFunction.js"
import { defineMany, type ManyDefinition, type ManyOptions } from "./manyOptions.js"
import { Parameters } from "./Parameters.js"

/**
 * So many keys of a call are leased, loaded and stored at once, and then the next ones. With all of 10,000 the leases of the first would
 * run out before those of the last were acquired.
 */
const mostAtOnce = 1_000

type Keys = ReadonlyArray<unknown>
type Values = ReadonlyMap<unknown, unknown>
type Computing = Effect.Effect<unknown, unknown, unknown>

/** Loads the values of keys. A key may have a failure of its own. */
export type LoadByKey = (
  keys: Keys
) => Effect.Effect<Iterable<readonly [unknown, Effect.Effect<unknown, unknown>]>, unknown, unknown>

/** What a call asks for. */
interface Asked {
  readonly keys: Keys
  readonly binding: Binding<unknown, unknown>
  /** Each key once. */
  readonly requests: ReadonlyArray<Request<unknown, unknown, unknown>>
  /** Which of the requests each key has. */
  readonly places: ReadonlyArray<number>
}

/** The values by the caller's own keys, in their order. */
const byKey = ({ keys, places }: Asked, values: ReadonlyArray<unknown>): Values => {
  const map = new Map<unknown, unknown>()
  places.forEach((place, index) => {
    const value = values[place]
    if (value !== absent) map.set(keys[index], value)
  })
  return map
}

const toOption = (value: unknown): Option.Option<unknown> => (value === absent ? Option.none() : Option.some(value))

export class MemoizedMany {
  private readonly memoized: MemoizedFunction<unknown, unknown, unknown>
  private readonly definition: Either.Either<ManyDefinition, CacheError>
  /** Of each backend, the loader that callers of `one` have entered last. */
  private readonly loaders = new WeakMap<Binding<unknown, unknown>, Loader<unknown, unknown, unknown>>()

  constructor(
    private readonly operation: string,
    private readonly load: LoadByKey,
    options: ManyOptions,
    definition: (() => FunctionText) | undefined
  ) {
    this.definition = defineMany(operation, options)
    this.memoized = new MemoizedFunction<unknown, unknown, unknown>(
      options,
      {
        // A call has one argument, its key.
        parameters: new Parameters((_key: unknown) => undefined),
        definition,
        print: callPrinter(options.key),
        printPicked: pickedPrinter(options.key),
        // A request that is one of many has a companion, which computes in its place.
        compute: () => Effect.dieMessage("a key that is in no load")
      },
      // Whose cache it is says who calls.
      CacheSource.usual,
      this.definition
    )
  }

  printed(key: unknown): string | CacheError {
    return this.memoized.printed(undefined, [key])
  }

  lookup(fiber: CallingFiber, backend: CacheBackendService, keys: Keys): Effect.Effect<Values, unknown, unknown> {
    return this.asking(backend, keys, (asked) =>
      Effect.flatMap(asked.binding.engine.many.lookup(fiber, asked.requests), (answers) => this.answer(asked, answers))
    )
  }

  /** Passes what answers each key to `use`, and equal keys together. */
  lookupEach(
    fiber: CallingFiber,
    backend: CacheBackendService,
    keys: Keys,
    use: (answer: Computing, keys: Keys) => Effect.Effect<void, never, unknown>
  ): Effect.Effect<void, never, unknown> {
    const each = this.asking(backend, keys, (asked) => {
      const equal: Array<Array<unknown>> = asked.requests.map(() => [])
      asked.places.forEach((place, index) => {
        equal[place]?.push(keys[index])
      })
      return Effect.flatMap(asked.binding.engine.many.lookup(fiber, asked.requests), (answers) =>
        this.answer(
          asked,
          answers.map((answer, place) => use(answer, equal[place] ?? []))
        )
      )
    })
    // `use` does not fail.
    return Effect.asVoid(Effect.orDie(each))
  }

  one(
    fiber: CallingFiber,
    backend: CacheBackendService,
    key: unknown
  ): Effect.Effect<Option.Option<unknown>, unknown, unknown> {
    return this.asking(backend, [key], ({ binding, requests: [request] }) => {
      if (request === undefined) return Effect.never
      const answer =
        this.memoized.firstLocalHit(fiber, request) ??
        this.sharedLoader(binding).answer(
          request,
          Effect.suspend(() => binding.engine.readThrough.lookup(fiber, request))
        )
      return Effect.map(answer, toOption)
    })
  }

  forceRecalc(backend: CacheBackendService, keys: Keys): Effect.Effect<Values, unknown, unknown> {
    return this.asking(backend, keys, (asked) => {
      const { readThrough } = asked.binding.engine
      return this.answer(
        asked,
        asked.requests.map((request) => Effect.suspend(() => readThrough.forceRecalc(request)))
      )
    })
  }

  requireCache(fiber: CallingFiber, backend: CacheBackendService, keys: Keys): Effect.Effect<Values, CacheError> {
    const asked = this.ask(backend, keys)
    if (asked instanceof CacheError) return Effect.fail(withContext("requireCache", asked))
    return Effect.mapBoth(asked.binding.engine.many.requireCache(fiber, asked.requests), {
      onFailure: (error) => withContext("requireCache", error),
      onSuccess: (found) => byKey(asked, found.map(Option.getOrElse(() => absent)))
    })
  }

  invalidate(backend: CacheBackendService, keys: Keys): Effect.Effect<void, CacheError> {
    const binding = this.memoized.bindingTo(backend)
    if (binding instanceof CacheError) return Effect.fail(withContext("invalidate", binding))
    const names = new Map<string, Name>()
    for (const key of keys) {
      const name = this.memoized.nameOf(binding, undefined, [key])
      if (name instanceof CacheError) return Effect.fail(withContext("invalidate", name))
      names.set(name.finished, name)
    }
    if (names.size === 0) return Effect.void
    return Effect.mapError(Effect.asVoid(binding.engine.invalidation.keys([...names.values()])), (error) =>
      withContext("invalidate", error)
    )
  }

  private asking<A>(
    backend: CacheBackendService,
    keys: Keys,
    use: (asked: Asked) => Effect.Effect<A, unknown, unknown>
  ): Effect.Effect<A, unknown, unknown> {
    const asked = this.ask(backend, keys)
    return asked instanceof CacheError
      ? Effect.die(withContext(this.operation, asked))
      : this.memoized.withWarnings(asked.binding, use(asked))
  }

  private ask(backend: CacheBackendService, keys: Keys): Asked | CacheError {
    const binding = this.memoized.bindingTo(backend)
    if (binding instanceof CacheError) return binding
    const requests: Array<Request<unknown, unknown, unknown>> = []
    const places: Array<number> = []
    const known = new Map<string, number>()
    for (const key of keys) {
      const request = this.memoized.requestIn(binding, undefined, [key])
      if (request instanceof CacheError) return request
      const place = known.get(request.key) ?? requests.push(request) - 1
      known.set(request.key, place)
      places.push(place)
    }
    return { keys, binding, requests, places }
  }

  /** Runs what is no hit. The values are those of the answers, in their order. */
  private answer(asked: Asked, answers: ReadonlyArray<Computing>): Effect.Effect<Values, unknown, unknown> {
    const values: Array<unknown> = new Array(answers.length).fill(absent)
    const all = answers.flatMap((answer, place) => {
      const request = asked.requests[place]
      if (request !== undefined && !(Either.isEither(answer) && Either.isRight(answer))) {
        const noted = Effect.map(answer, (value) => {
          values[place] = value
        })
        return [{ request, answer: noted }]
      }
      if (Either.isEither(answer) && Either.isRight(answer)) values[place] = answer.right
      return []
    })
    if (all.length === 0) return Effect.succeed(byKey(asked, values))
    const loader = this.newLoader(asked.binding)
    const answered = Effect.forEach(Arr.chunksOf(all, mostAtOnce), (some) => loader.answerAll(some), { discard: true })
    return Effect.map(answered, () => byKey(asked, values))
  }

  private sharedLoader(binding: Binding<unknown, unknown>): Loader<unknown, unknown, unknown> {
    const known = this.loaders.get(binding)
    if (known?.isOpen === true) return known
    const loader = this.newLoader(binding)
    this.loaders.set(binding, loader)
    return loader
  }

  private newLoader(binding: Binding<unknown, unknown>): Loader<unknown, unknown, unknown> {
    const loadMany: LoadMany<unknown, unknown, unknown> = (requests) =>
      Effect.map(this.load(requests.map(({ args: [key] }) => key)), (loaded) => {
        const answers = new Map<string, Effect.Effect<unknown, unknown>>()
        for (const [key, answer] of loaded) {
          const name = this.memoized.nameOf(binding, undefined, [key])
          // A key that can't be printed was not asked for.
          if (!(name instanceof CacheError)) answers.set(name.finished, answer)
        }
        return ({ key }) => answers.get(key) ?? Effect.succeed(absent)
      })
    const batchSize = Either.isRight(this.definition) ? this.definition.right.batchSize : 1
    return new Loader(loadMany, binding.engine.flights, batchSize)
  }
}
