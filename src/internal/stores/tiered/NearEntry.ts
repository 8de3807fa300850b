/** A copy of an entry of the store below. */
import { Buffer } from "node:buffer"
import type { Entry, GroupVersion, StoredEntry } from "../../../CacheStore.js"
import { hitUntil, type LocalEntry, noHit } from "../Store.js"
import type { TierToken } from "./TierToken.js"

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1")

export class NearEntry implements LocalEntry {
  /** What the store below has said; `undefined` once the copy has been dropped. */
  entry: Entry | undefined
  /** The value as a function decodes it, once one has. */
  payload: unknown = undefined
  hitUntil = noHit
  /** Whose decoded value the payload is. */
  private codec: unknown = undefined
  private group: StoredEntry | undefined = undefined
  readonly groups: ReadonlyArray<GroupVersion>

  constructor(
    readonly key: string,
    readonly token: TierToken,
    entry: Entry,
    /** When it is too old to be served without asking below, in monotonic milliseconds. */
    public currentUntil: number
  ) {
    this.entry = entry
    this.groups = entry.groups
  }

  /** The time to live of the value ends then, in milliseconds on the Clock. */
  get freshUntil(): number {
    return this.entry?.value?.freshUntil ?? 0
  }

  /** The entry of a group, its version as a text: a hit asks for it each time. */
  get asGroup(): StoredEntry {
    if (this.group === undefined) {
      const value = this.entry?.value
      const bytes = value?.payload
      this.group =
        value !== undefined && bytes instanceof Uint8Array
          ? { token: this.token, entry: { groups: [], lease: undefined, value: { ...value, payload: text(bytes) } } }
          : this
    }
    return this.group
  }

  learn(codec: unknown, decoded: unknown): void {
    const value = this.entry?.value
    // A copy that was asked for again is the same: the value that callers have stays theirs.
    if (value === undefined || (this.hitUntil !== noHit && this.codec === codec)) return
    this.payload = decoded
    this.hitUntil = hitUntil(decoded, value.freshUntil)
    this.codec = codec
  }

  isDecodedBy(codec: unknown): boolean {
    return this.codec === codec
  }

  /** Called when the copy is dropped: who remembers it must find no value. */
  clear(): void {
    this.entry = undefined
    this.payload = undefined
    this.hitUntil = noHit
  }
}
