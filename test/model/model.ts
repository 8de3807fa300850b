/** The reference model of a cache: a Map, a clock, and a number for each group. */
import type { Key } from "effect-cached"
import type { Operation, Times } from "./operations.js"

interface Entry {
  readonly value: unknown
  readonly freshUntil: number
  readonly staleUntil: number
  /** The number that each of its groups had when it was written. */
  readonly groups: ReadonlyMap<string, number>
}

/** The layer's `defaultTtl`, and the `stale` of `getOrSet`. */
const defaultTtl = 300_000
const defaultStale = 30_000

export class Model {
  private now = 0
  private readonly entries = new Map<string, Entry>()
  private readonly groups = new Map<string, number>()

  private at(key: Key, version: string | undefined): string {
    return JSON.stringify([version ?? "", key])
  }

  private group(name: string, version: string | undefined): number {
    return this.groups.get(JSON.stringify([version ?? "", name])) ?? 0
  }

  private valid(entry: Entry, version: string | undefined): boolean {
    return [...entry.groups].every(([name, number]) => this.group(name, version) === number)
  }

  private fresh(key: Key, version: string | undefined): Entry | undefined {
    const entry = this.entries.get(this.at(key, version))
    return entry !== undefined && this.now < entry.freshUntil && this.valid(entry, version) ? entry : undefined
  }

  private put(key: Key, value: unknown, { groups, stale, ttl, version }: Times, otherwiseStale: number): void {
    const freshUntil = this.now + (ttl ?? defaultTtl)
    this.entries.set(this.at(key, version), {
      value,
      freshUntil,
      staleUntil: freshUntil + (stale ?? otherwiseStale),
      groups: new Map(groups.map((name) => [name, this.group(name, version)]))
    })
  }

  private expired({ ttl }: Times): boolean {
    return ttl !== undefined && ttl <= 0
  }

  private set(key: Key, value: unknown, options: Times): void {
    if (this.expired(options)) this.entries.delete(this.at(key, options.version))
    else this.put(key, value, options, 0)
  }

  /** Performs the operation. Returns its value, or the name of its error. */
  perform(operation: Operation): unknown {
    switch (operation._tag) {
      case "get":
        return this.fresh(operation.key, operation.version)?.value
      case "has":
        return this.fresh(operation.key, operation.version) !== undefined
      case "getMany":
        return new Map(
          operation.keys.flatMap((key) => {
            const entry = this.fresh(key, operation.version)
            return entry === undefined ? [] : [[key, entry.value] as const]
          })
        )
      case "set":
        return this.set(operation.key, operation.value, operation.options)
      case "setMany":
        for (const [key, value] of operation.entries) this.set(key, value, operation.options)
        return []
      case "add": {
        const { key, options, value } = operation
        if (this.fresh(key, options.version) !== undefined) return false
        if (!this.expired(options)) this.put(key, value, options, 0)
        return true
      }
      case "getOrSet": {
        const { key, options, value } = operation
        const entry = this.fresh(key, options.version)
        const sameGroups =
          entry !== undefined &&
          entry.groups.size === options.groups.length &&
          options.groups.every((name) => entry.groups.has(name))
        if (entry !== undefined && sameGroups) return entry.value
        if (this.expired(options)) this.entries.delete(this.at(key, options.version))
        else this.put(key, value, options, defaultStale)
        return value
      }
      case "touch": {
        const { key, ttl, version } = operation
        const entry = this.fresh(key, version)
        if (entry === undefined) return false
        if (ttl !== undefined && ttl <= 0) this.entries.delete(this.at(key, version))
        else {
          const freshUntil = this.now + (ttl ?? defaultTtl)
          this.entries.set(this.at(key, version), { ...entry, freshUntil })
        }
        return true
      }
      case "increment": {
        const { by, key, version } = operation
        const entry = this.fresh(key, version)
        if (entry === undefined) return "NoCachedValue"
        if (typeof entry.value !== "number") return "NotNumeric"
        const sum = entry.value + by
        // Infinity is beyond 2^53 − 1 too, whatever is added to it.
        if (Math.abs(sum) > Number.MAX_SAFE_INTEGER) return "InvalidOption"
        this.entries.set(this.at(key, version), { ...entry, value: sum })
        return sum
      }
      case "delete":
        return this.remove([operation.key], operation.version) === 1
      case "deleteMany":
        return this.remove(operation.keys, operation.version)
      case "invalidateGroup": {
        const { name, version } = operation
        this.groups.set(JSON.stringify([version ?? "", name]), this.group(name, version) + 1)
        return undefined
      }
      case "clear":
        this.entries.clear()
        return undefined
      case "advance":
        this.now += operation.millis
        return undefined
    }
  }

  private remove(keys: ReadonlyArray<Key>, version: string | undefined): number {
    const unique = new Map(keys.map((key) => [this.at(key, version), key]))
    const removed = [...unique.values()].filter((key) => this.fresh(key, version) !== undefined).length
    for (const at of unique.keys()) this.entries.delete(at)
    return removed
  }
}
