import { MemoryBackend } from "effect-cached"

export const layer = MemoryBackend.layer({ maxEntries: 50_000 })
