/** A memoized function of many keys. The entry of a key is the one that `MemoizedFunction` makes of a call with it. */
import { Array as Arr, Effect, Either, Option } from "effect"
import type { CacheBackendService } from "../../CacheBackend.js"
import { CacheError } from "../../CacheError.js"
import { type Name, withContext } from "../entries/keyspace.js"
import type { LoadMany } from "../readThrough/many/Load.js"
import { type Answering, Loader } from "../readThrough/many/Loader.js"
import type { ManyKeys } from "../readThrough/many/ManyKeys.js"
import { type Found, unanswered } from "../readThrough/many/ManyReads.js"
import { type CallingFiber, debugIsOn } from "../runtime/fiber.js"
import { absent } from "../values/absent.js"
import { Parameters } from "./arguments/Parameters.js"
import { CacheSource } from "./CacheSource.js"
import type { FunctionText } from "./Definitions.js"
import { callPrinter, pickedPrinter } from "./lifting/keyOption.js"
import { defineMany, type ManyDefinition, type ManyOptions } from "./lifting/manyOptions.js"
import { localValues } from "./localHits.js"
import { type Binding, MemoizedFunction, Request } from "./MemoizedFunction.js"

/**
 * So many keys of a call are leased, loaded and stored at once, and then the next ones. With all of 10,000 the leases of the first would
 * run out before those of the last were acquired.
 */
const mostAtOnce = 1_000

type Keys = ReadonlyArray<unknown>
type Values = ReadonlyMap<unknown, unknown>
const noValues: Values = new Map()
type Computing = Effect.Effect<unknown, unknown, unknown>

/** Loads the values of keys. A key may have a failure of its own. */
export type LoadByKey = (
  keys: Keys
) => Effect.Effect<Iterable<readonly [unknown, Effect.Effect<unknown, unknown>]>, unknown, unknown>

type Requested = Request<unknown, unknown, unknown>

/** What a call asks for. */
interface Asked extends ManyKeys<unknown, Requested> {
  readonly keys: Keys
  readonly binding: Binding<unknown, unknown>
  /** The place of each key: equal keys have the same. */
  readonly places: ReadonlyArray<number>
}

/** The values by the caller's own keys, in their order. */
const byKey = ({ keys, places }: Asked, values: ReadonlyArray<unknown>): Values => {
  const map = new Map<unknown, unknown>()
  for (let index = 0; index < keys.length; index++) {
    const value = values[places[index] ?? -1]
    if (value !== absent && value !== unanswered) map.set(keys[index], value)
  }
  return map
}

/** The same, of what was found in the memory of this process and of the rest. */
const merged = (keys: Keys, local: Values, rest: Values): Values => {
  const map = new Map<unknown, unknown>()
  for (const key of keys) {
    const from = local.has(key) ? local : rest
    if (from.has(key)) map.set(key, from.get(key))
  }
  return map
}

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
      CacheSource.usual,
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
    const asked = binding instanceof CacheError ? binding : this.ask(binding, keys)
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
    use: (asked: Asked) => Effect.Effect<A, unknown, unknown>
  ): Effect.Effect<A, unknown, unknown> {
    const asked = this.ask(binding, keys)
    return asked instanceof CacheError ? Effect.die(withContext(this.operation, asked)) : use(asked)
  }

  private ask(binding: Binding<unknown, unknown>, keys: Keys): Asked | CacheError {
    const { codec, counters, policy } = binding
    const names: Array<Name> = []
    const args: Array<ReadonlyArray<unknown>> = []
    const groups: Array<ReadonlyArray<string>> = []
    const places: Array<number> = []
    const known = new Map<string, number>()
    for (const key of keys) {
      const call = [key]
      const name = this.memoized.nameOf(binding, undefined, call)
      if (name instanceof CacheError) return name
      let place = known.get(name.finished)
      if (place === undefined) {
        const own = this.memoized.groupsIn(binding, undefined, call)
        if (own instanceof CacheError) return own
        place = names.push(name) - 1
        known.set(name.finished, place)
        args.push(call)
        groups.push(own)
      }
      places.push(place)
    }
    return {
      // A copy: the caller may change its array while the values are read or loaded.
      keys: [...keys],
      binding,
      places,
      names,
      groups,
      codec,
      counters,
      refreshesEarly: policy.earlyRefresh !== 0,
      // The arrays have an element for each place.
      requestAt: (place) =>
        new Request(this.memoized, binding, names[place] as Name, groups[place] ?? [], undefined, args[place] ?? [])
    }
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

  private answers(fiber: CallingFiber, asked: Asked): Effect.Effect<Values, unknown, unknown> {
    return Effect.flatMap(asked.binding.engine.many.lookup(fiber, asked), (found) => this.answerOthers(asked, found))
  }

  /** Runs what is no hit, and returns all values. */
  private answerOthers(
    asked: Asked,
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
    return Effect.forEach(Arr.chunksOf(answers, mostAtOnce), (some) => loader.answerAll(some), { discard: true })
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
