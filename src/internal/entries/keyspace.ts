/**
 * Turns the keys and group names of users into the keys that a store sees, under one namespace and one version.
 */
import { Either } from "effect"
import { CacheError } from "../../CacheError.js"
import { finishKey, groupKey, keyPrefix } from "../keys/finishKey.js"
import { type Key, printKey } from "../keys/printKey.js"

/** A key: `printed` is what the user sees, `finished` what the store sees. */
export interface Name {
  readonly printed: string
  readonly finished: string
}

const byKey = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0)

export class Keyspace {
  constructor(private readonly prefix: string) {}

  static under(namespace: string, version: string | number): Keyspace {
    return new Keyspace(keyPrefix(version, namespace))
  }

  finish(printed: string): string {
    return finishKey(this.prefix, printed)
  }

  name(operation: string, key: Key): Either.Either<Name, CacheError> {
    const printed = printKey(key)
    return typeof printed === "string"
      ? Either.right({ printed, finished: this.finish(printed) })
      : Either.left(withContext(operation, printed))
  }

  group(operation: string, name: string): Either.Either<string, CacheError> {
    const key = groupKey(this.prefix, name)
    return typeof key === "string" ? Either.right(key) : Either.left(withContext(operation, key))
  }

  /** The keys of the groups: sorted, each once. */
  groups(operation: string, names: ReadonlyArray<string>): Either.Either<ReadonlyArray<string>, CacheError> {
    if (names.length === 0) return noGroups
    return Either.map(Either.all(names.map((name) => this.group(operation, name))), (keys) =>
      [...new Set(keys)].sort(byKey)
    )
  }
}

const noGroups: Either.Either<ReadonlyArray<string>> = Either.right([])

/** The same error, with the operation that the user called and the key as the user knows it. */
export const withContext = (operation: string, error: CacheError, printed?: string): CacheError =>
  new CacheError({
    reason: error.reason,
    operation,
    description: error.description,
    key: printed ?? error.key,
    cause: error.cause
  })
