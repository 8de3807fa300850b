/** A store with callbacks that can be switched off, and counts its reads. */
import { Effect, Option } from "effect"
import { CacheError } from "../../src/CacheError.js"
import type { CacheStore } from "../../src/CacheStore.js"
import type { Store } from "../../src/internal/stores/Store.js"

export const away = new CacheError({ reason: "Unavailable", operation: "read", description: "switched off" })

/** A class with getters, as a third party may write it. */
export class ClassStore implements CacheStore {
  up = true
  readonly asked: Array<string> = []

  private answer<A>(what: string, value: A): Effect.Effect<A, CacheError> {
    return Effect.suspend(() => {
      this.asked.push(what)
      return this.up ? Effect.succeed(value) : Effect.fail(away)
    })
  }

  get name() {
    return "class"
  }

  get location() {
    return "network" as const
  }

  get payloads() {
    return "bytes" as const
  }

  read(keys: ReadonlyArray<string>) {
    return this.answer(
      `read ${keys}`,
      keys.map((key) => ({ token: `token of ${key}`, entry: undefined }))
    )
  }

  write(items: ReadonlyArray<{ readonly key: string }>) {
    return this.answer(`write ${items.map(({ key }) => key)}`, [])
  }

  add(key: string) {
    return this.answer(`add ${key}`, Option.some("added"))
  }

  replace(key: string, token: unknown) {
    return this.answer(`replace ${key} ${token}`, Option.some("replaced"))
  }

  remove(keys: ReadonlyArray<string>) {
    return this.answer(`remove ${keys.length > 3 ? keys.length : keys}`, keys.length)
  }

  get clear() {
    return this.answer("clear", undefined)
  }

  get size() {
    return this.answer("size", { entries: Option.some(1), bytes: Option.none(), evictions: Option.none() })
  }
}

/** `settle` answers the read, outside of any fiber. */
export const byCallbacks = (store: Store) => {
  const waiting: Array<(error: CacheError | undefined) => void> = []
  const fused: Store = {
    ...store,
    read: (_fiber, keys, onFound, onFailure) =>
      Effect.async((resume) => {
        waiting.push((error) => resume(error === undefined ? onFound(keys.map(() => undefined)) : onFailure(error)))
      })
  }
  const settle = (error?: CacheError) => {
    for (const answer of waiting.splice(0)) answer(error)
  }
  return { store: fused, settle, waiting }
}
