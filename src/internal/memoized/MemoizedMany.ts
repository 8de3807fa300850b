/** A memoized function of many keys. The entry of a key is the one that `MemoizedFunction` makes of a call with it. */
import { Array as Arr, Effect, Either, Option } from "effect"
import { CacheBackend, type CacheBackendService } from "../../CacheBackend.js"
import { CacheError } from "../../CacheError.js"
import { type Name, withContext } from "../entries/keyspace.js"
import type { LoadMany } from "../readThrough/many/Load.js"
import { type Answering, Loader } from "../readThrough/many/Loader.js"
import { type Found, unanswered } from "../readThrough/many/ManyReads.js"
import { eventLoopTurn } from "../runtime/eventLoop.js"
import { type CallingFiber, debugIsOn } from "../runtime/fiber.js"
import { absent } from "../values/absent.js"
import { Parameters } from "./arguments/callArguments.js"
import { type AskedKeys, ask, byKey, type Keys, localValues, merged, type Requested, type Values } from "./askedKeys.js"
import type { Binding } from "./Binding.js"
import type { FunctionText } from "./Definitions.js"
import { callPrinter, pickedPrinter } from "./lifting/keyOption.js"
import { defineMany, type ManyDefinition, type ManyOptions } from "./lifting/manyOptions.js"
import { MemoizedFunction } from "./MemoizedFunction.js"

/**
 * So many keys of a call are leased, loaded and stored at once, and then the next ones. With all of 10,000 the leases of the first
 * would run out before those of the last were acquired.
 */
const mostAtOnce = 1_000

/**
 * So many of them in one turn of the event loop, where nothing has to be asked of a server: each takes up to a fifth of a
 * millisecond. On a server all go together, for their round trips.
 */
const mostInOneTurn = 100

const noValues: Values = new Map()
type Computing = Effect.Effect<unknown, unknown, unknown>

/** Loads the values of keys. A key may have a failure of its own. */
export type LoadByKey = (
  keys: Keys
) => Effect.Effect<Iterable<readonly [unknown, Effect.Effect<unknown, unknown>]>, unknown, unknown>

const toOption = (value: unknown): Option.Option<unknown> => (value === absent ? Option.none() : Option.some(value))

export class MemoizedMany {
  private readonly memoized: MemoizedFunction<unknown, unknown, unknown>
  private readonly definition: Either.Either<ManyDefinition, CacheError>
  private readonly picksKeys: boolean
  /** Of each backend, the loader that callers of `one` have entered last. */
  private readonly loaders = new WeakMap<Binding<unknown, unknown>, Loader<unknown, unknown, unknown>>()

  constructor(
    private readonly operation: string,
    private readonly load: LoadByKey,
    options: ManyOptions,
    definition: (() => FunctionText) | undefined
  ) {
    this.definition = defineMany(operation, options)
    this.picksKeys = options.keyArgs !== undefined
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
      { maker: undefined, tag: CacheBackend },
      this.definition
    )
  }

  printed(key: unknown): string | CacheError {
    return this.memoized.printed(undefined, [key])
  }

  lookup(fiber: CallingFiber, backend: CacheBackendService, keys: Keys): Effect.Effect<Values, unknown, unknown> {
    return this.bound(backend, (binding) => {
      const { rest, values } = this.localValues(fiber, binding, keys)
      if (rest.length === 0) return Effect.succeed(values)
      const answers = this.asking(binding, rest, (asked) => this.answers(fiber, asked))
      if (values.size === 0) return answers
      const own = [...keys]
      return Effect.map(answers, (others) => merged(own, values, others))
    })
  }

  /** Passes what answers each key to `use`, and equal keys together. */
  lookupEach(
    fiber: CallingFiber,
    backend: CacheBackendService,
    keys: Keys,
    use: (answer: Computing, keys: Keys) => Effect.Effect<void, never, unknown>
  ): Effect.Effect<void, never, unknown> {
    const each = this.bound(backend, (binding) =>
      this.asking(binding, keys, (asked) => {
        const equal: Array<Array<unknown>> = asked.names.map(() => [])
        asked.places.forEach((place, index) => {
          equal[place]?.push(keys[index])
        })
        return Effect.flatMap(binding.engine.many.lookup(fiber, asked), ({ others, values }) =>
          Effect.zipRight(
            Effect.forEach(
              values,
              (value, place) => (value === unanswered ? Effect.void : use(Effect.succeed(value), equal[place] ?? [])),
              { discard: true }
            ),
            this.run(
              binding,
              others.map(({ answer, place, request }) => ({ request, answer: use(answer, equal[place] ?? []) }))
            )
          )
        )
      })
    )
    // `use` does not fail.
    return Effect.orDie(each)
  }

  one(
    fiber: CallingFiber,
    backend: CacheBackendService,
    key: unknown
  ): Effect.Effect<Option.Option<unknown>, unknown, unknown> {
    return this.bound(backend, (binding) =>
      this.asking(binding, [key], ({ requestAt }) => {
        const request = requestAt(0)
        const answer =
          this.memoized.firstLocalHit(fiber, request) ??
          this.sharedLoader(binding).answer(
            request,
            Effect.suspend(() => binding.engine.readThrough.lookup(fiber, request))
          )
        return Effect.map(answer, toOption)
      })
    )
  }

  forceRecalc(backend: CacheBackendService, keys: Keys): Effect.Effect<Values, unknown, unknown> {
    return this.bound(backend, (binding) =>
      this.asking(binding, keys, (asked) => {
        const { readThrough } = binding.engine
        const others = asked.names.map((_, place) => {
          const request = asked.requestAt(place)
          return { place, request, answer: Effect.suspend(() => readThrough.forceRecalc(request)) }
        })
        return this.answerOthers(asked, { values: asked.names.map(() => unanswered), others })
      })
    )
  }

  requireCache(fiber: CallingFiber, backend: CacheBackendService, keys: Keys): Effect.Effect<Values, CacheError> {
    const binding = this.memoized.bindingTo(backend)
    const asked = binding instanceof CacheError ? binding : ask(this.memoized, binding, keys)
    if (asked instanceof CacheError) return Effect.fail(withContext("requireCache", asked))
    return Effect.mapBoth(asked.binding.engine.many.requireCache(fiber, asked), {
      onFailure: (error) => withContext("requireCache", error),
      onSuccess: (values) => byKey(asked, values)
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

  private bound<A>(
    backend: CacheBackendService,
    use: (binding: Binding<unknown, unknown>) => Effect.Effect<A, unknown, unknown>
  ): Effect.Effect<A, unknown, unknown> {
    const binding = this.memoized.bindingTo(backend)
    return binding instanceof CacheError
      ? Effect.die(withContext(this.operation, binding))
      : this.memoized.withWarnings(binding, use(binding))
  }

  private asking<A>(
    binding: Binding<unknown, unknown>,
    keys: Keys,
    use: (asked: AskedKeys) => Effect.Effect<A, unknown, unknown>
  ): Effect.Effect<A, unknown, unknown> {
    const asked = ask(this.memoized, binding, keys)
    return asked instanceof CacheError ? Effect.die(withContext(this.operation, asked)) : use(asked)
  }

  /** The hits in the memory of this process. Where debug logs are on there are none: see `ReadThrough`. */
  private localValues(
    fiber: CallingFiber,
    binding: Binding<unknown, unknown>,
    keys: Keys
  ): { readonly values: Values; readonly rest: Keys } {
    const { codec, events, hitCounters, localHits } = binding
    if (localHits === undefined || this.picksKeys || debugIsOn(fiber)) return { values: noValues, rest: keys }
    const nameOf = (key: unknown): Name | undefined => {
      const name = this.memoized.nameOf(binding, undefined, [key])
      return name instanceof CacheError ? undefined : name
    }
    const found = localValues(fiber, localHits, codec, keys, nameOf)
    if (found.values.size > 0) hitCounters.add(fiber, "hits", found.values.size)
    if (events.isListened) {
      for (const key of found.values.keys()) {
        const name = nameOf(key)
        if (name !== undefined) hitCounters.tell("hits", name)
      }
    }
    return found
  }

  private answers(fiber: CallingFiber, asked: AskedKeys): Effect.Effect<Values, unknown, unknown> {
    return Effect.flatMap(asked.binding.engine.many.lookup(fiber, asked), (found) => this.answerOthers(asked, found))
  }

  /** Runs what is no hit, and returns all values. */
  private answerOthers(
    asked: AskedKeys,
    { others, values }: Found<unknown, Requested, Computing>
  ): Effect.Effect<Values, unknown, unknown> {
    if (others.length === 0) return Effect.succeed(byKey(asked, values))
    const noted = others.map(({ answer, place, request }) => ({
      request,
      answer: Effect.map(answer, (value) => {
        values[place] = value
      })
    }))
    return Effect.map(this.run(asked.binding, noted), () => byKey(asked, values))
  }

  private run(
    binding: Binding<unknown, unknown>,
    answers: ReadonlyArray<Answering<unknown, unknown, unknown, void, unknown>>
  ): Effect.Effect<void, unknown, unknown> {
    if (answers.length === 0) return Effect.void
    const loader = this.newLoader(binding)
    return Effect.forEach(
      Arr.chunksOf(answers, mostAtOnce),
      (some, index) => Effect.zipRight(index === 0 ? Effect.void : eventLoopTurn, loader.answerAll(some)),
      { discard: true }
    )
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
    const { flights, reader } = binding.engine
    return new Loader(loadMany, flights, batchSize, reader.asksOthers ? mostAtOnce : mostInOneTurn)
  }
}
