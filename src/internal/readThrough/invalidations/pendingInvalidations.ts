/**
 * The invalidations made under one `afterCommit`, to be carried out again when it ends. A fiber carries them, and the fibers that
 * it forks share them.
 */
import { Effect, Either } from "effect"
import type { CacheError } from "../../../CacheError.js"
import type { Name } from "../../entries/keyspace.js"
import { Inherited } from "../../runtime/inherited.js"

/** What invalidates in one backend. */
export interface Invalidator {
  readonly keys: (names: ReadonlyArray<Name>) => Effect.Effect<unknown, CacheError>
  readonly group: (key: string, printed: string) => Effect.Effect<void, CacheError>
  readonly everything: Effect.Effect<void, CacheError>
}

/** With more keys and groups than this, the whole namespace is cleared instead. */
const mostNames = 10_000

/** Those of one backend. */
class OfBackend {
  private readonly keys = new Map<string, Name>()
  /** The printed names of groups, by their finished keys. */
  private readonly groups = new Map<string, string>()
  private isEverything = false

  addKeys(names: ReadonlyArray<Name>): void {
    for (const name of names) {
      if (this.isEverything) return
      this.keys.set(name.finished, name)
      this.bound()
    }
  }

  addGroup(key: string, printed: string): void {
    if (this.isEverything) return
    this.groups.set(key, printed)
    this.bound()
  }

  addEverything(): void {
    this.isEverything = true
    this.keys.clear()
    this.groups.clear()
  }

  private bound(): void {
    if (this.keys.size + this.groups.size > mostNames) this.addEverything()
  }

  repeat(invalidator: Invalidator): Effect.Effect<unknown, CacheError> {
    if (this.isEverything) return invalidator.everything
    const operations: Array<Effect.Effect<unknown, CacheError>> = []
    if (this.keys.size > 0) operations.push(invalidator.keys([...this.keys.values()]))
    for (const [key, printed] of this.groups) operations.push(invalidator.group(key, printed))
    return allOf(operations)
  }
}

/** Carries out all of them, also after one failed. Fails with the first error. */
const allOf = (operations: ReadonlyArray<Effect.Effect<unknown, CacheError>>): Effect.Effect<unknown, CacheError> =>
  Effect.flatMap(Effect.all(operations.map(Effect.either), { concurrency: "unbounded" }), Either.all)

export class PendingInvalidations {
  private isOpen = true
  private readonly backends = new Map<Invalidator, OfBackend>()

  /** @param outer those of the `afterCommit` around this one, which repeats them once more */
  constructor(private readonly outer: PendingInvalidations | undefined) {}

  /** Notes an invalidation. `false` after the end: a fiber has outlived the `afterCommit` that it was forked in. */
  note(invalidator: Invalidator, add: (to: OfBackend) => void): boolean {
    const outerNotes = this.outer?.note(invalidator, add) ?? false
    if (!this.isOpen) return outerNotes
    let ofBackend = this.backends.get(invalidator)
    if (ofBackend === undefined) {
      ofBackend = new OfBackend()
      this.backends.set(invalidator, ofBackend)
    }
    add(ofBackend)
    return true
  }

  /** Carries all of them out again, and takes no further ones. */
  readonly repeat: Effect.Effect<void, CacheError> = Effect.suspend(() => {
    this.isOpen = false
    const operations = [...this.backends].map(([invalidator, ofBackend]) => ofBackend.repeat(invalidator))
    return operations.length === 0 ? Effect.void : Effect.asVoid(allOf(operations))
  })
}

export const pendingInvalidations = new Inherited<PendingInvalidations | undefined>(
  "effect-cached/pendingInvalidations",
  undefined
)
