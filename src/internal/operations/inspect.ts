/** `inspect`: what stands in the store under a key. */
import { Effect, Either, Option } from "effect"
import type { CacheBackendService } from "../../CacheBackend.js"
import type { Entry } from "../../CacheStore.js"
import { nothing } from "../entries/EntryReader.js"
import { stateOf } from "../entries/entryState.js"
import { headLength } from "../records/entryCodec.js"
import { now } from "../runtime/fiber.js"
import { bytesOf } from "../stores/memory/entrySize.js"
import type { Access } from "./access.js"

/** A store of bytes has nothing else. */
const payloadLength = ({ value }: Entry): number => (value?.payload instanceof Uint8Array ? value.payload.length : 0)

/** Of references the estimate that bounds the memory store: without the value where that can't be walked over. */
const sizeOf = (payloads: "references" | "bytes", key: string, entry: Entry): number =>
  payloads === "bytes"
    ? headLength(key, entry) + payloadLength(entry)
    : Either.getOrElse(
        Either.try(() => bytesOf(key, entry)),
        () => bytesOf(key, { ...entry, value: undefined })
      )

export const inspection =
  (access: Access): CacheBackendService["inspect"] =>
  (key, options) =>
    access.named("inspect", key, options, (name) =>
      Effect.zipWith(access.reader.readWithOwnGroups([name.finished]), now, ([snapshot = nothing], time) => {
        const entry = snapshot.stored?.entry
        const state = stateOf(entry, snapshot.versions, time)
        if (entry === undefined || state._tag === "Gone") return Option.none()
        const value = state._tag === "Leased" ? undefined : state.value
        const keyspace = access.keyspaceOf(options)
        return Option.some({
          freshUntil: value?.freshUntil ?? 0,
          staleUntil: value?.staleUntil ?? 0,
          lease: Option.map(Option.fromNullable(state.lease), ({ until }) => ({ until })),
          groups: entry.groups.map((group) => keyspace.nameOfGroup(group.key)),
          bytes: sizeOf(access.reader.store.payloads, name.finished, entry)
        })
      })
    )
