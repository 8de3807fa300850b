import { MemoryBackend } from "effect-cached"
import { cacheBackendSuite } from "effect-cached/testing"

cacheBackendSuite("MemoryBackend, by reference", MemoryBackend.layer())
cacheBackendSuite("MemoryBackend, copying", MemoryBackend.layer({ copy: true }))
