/**
 * Turns the keys and group names of users into the keys that a store sees, under one namespace and one version.
 */
import { Either } from "effect"
import { CacheError } from "../../CacheError.js"
import { finishKey, groupKey, groupName, keyPrefix } from "../keys/finishKey.js"
import { type Key, printKey } from "../keys/printKey.js"
import { redactCall, redactText } from "../keys/redact.js"
import { maxGroups } from "../records/entryCodec.js"
import { withoutData } from "../values/valuePath.js"

/** A key: `printed` is what logs, errors and spans show, `finished` what the store sees. */
export interface Name {
  readonly printed: string
  readonly finished: string
}

/** A class: what an object literal makes here would be kept alive for long, see ARCHITECTURE.md. */
class PlainName implements Name {
  constructor(
    readonly printed: string,
    readonly finished: string
  ) {}
}

/** A key that is not shown. A hit needs no `printed`, so it is hashed only when it is asked for. */
class RedactedName implements Name {
  private shown: string | undefined

  constructor(
    private readonly redact: (printed: string) => string,
    private readonly secret: string,
    readonly finished: string
  ) {}

  get printed(): string {
    this.shown ??= this.redact(this.secret)
    return this.shown
  }
}

const byKey = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0)

export class Keyspace {
  constructor(
    private readonly prefix: string,
    /** Whether keys are shown as hashes. */
    private readonly redacts = false
  ) {}

  static under(namespace: string, version: string | number, redacts = false): Keyspace {
    return new Keyspace(keyPrefix(version, namespace), redacts)
  }

  finish(printed: string): string {
    return finishKey(this.prefix, printed)
  }

  /** The key of a memoized call, as it was printed. */
  nameOfCall(printed: string): Name {
    const finished = this.finish(printed)
    return this.redacts ? new RedactedName(redactCall, printed, finished) : new PlainName(printed, finished)
  }

  /** The name of a group, as logs show it. */
  showGroup(name: string): string {
    return this.redacts ? redactText(name) : name
  }

  /** Why a key can't be printed. Where keys are not shown, neither are the names of properties in it that may be data. */
  showRefusal(error: CacheError): CacheError {
    const { cause, description, key, operation, reason } = error
    return this.redacts
      ? new CacheError({ reason, operation, description: withoutData(description), key, cause })
      : error
  }

  name(operation: string, key: Key): Either.Either<Name, CacheError> {
    const printed = printKey(key)
    if (typeof printed !== "string") return Either.left(withContext(operation, this.showRefusal(printed)))
    const finished = this.finish(printed)
    return Either.right(
      this.redacts ? new RedactedName(redactText, printed, finished) : new PlainName(printed, finished)
    )
  }

  group(operation: string, name: string): Either.Either<string, CacheError> {
    const key = groupKey(this.prefix, name)
    return typeof key === "string" ? Either.right(key) : Either.left(withContext(operation, key))
  }

  /** The name in the key of a group. */
  nameOfGroup(key: string): string {
    return groupName(this.prefix, key)
  }

  /** The keys of the groups: sorted, each once. */
  groups(operation: string, names: ReadonlyArray<string>): Either.Either<ReadonlyArray<string>, CacheError> {
    // A caller in JavaScript may pass anything.
    if (!Array.isArray(names) || names.some((name) => typeof name !== "string")) return Either.left(noNames(operation))
    if (names.length === 0) return noGroups
    return Either.flatMap(Either.all(names.map((name) => this.group(operation, name))), (keys) => {
      const groups = [...new Set(keys)].sort(byKey)
      return groups.length <= maxGroups ? Either.right(groups) : Either.left(tooManyGroups(operation))
    })
  }
}

const tooManyGroups = (operation: string): CacheError =>
  new CacheError({ reason: "InvalidOption", operation, description: `an entry has at most ${maxGroups} groups` })

const noNames = (operation: string): CacheError =>
  new CacheError({ reason: "InvalidOption", operation, description: "groups must be an array of texts" })

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
