/** The conformance suite, as the author of a store runs it. */
import { MemoryBackend } from "effect-cached"
import { cacheBackendSuite } from "effect-cached/testing"

cacheBackendSuite("MemoryBackend", MemoryBackend.layer())
