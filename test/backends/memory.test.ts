import { MemoryBackend } from "effect-cached"
import { cacheBackendSuite } from "effect-cached/testing"
import { cachedSuite } from "../suites/cachedSuite.js"
import { manySuite } from "../suites/manySuite.js"
import { whole } from "../support/size.js"

cacheBackendSuite("MemoryBackend, by reference", MemoryBackend.layer())
cacheBackendSuite("MemoryBackend, copying", MemoryBackend.layer({ copy: true }))
cachedSuite("cached on MemoryBackend, by reference", MemoryBackend.layer())
manySuite("cachedMany on MemoryBackend, by reference", MemoryBackend.layer())
if (whole) {
  cachedSuite("cached on MemoryBackend, copying", MemoryBackend.layer({ copy: true }))
  manySuite("cachedMany on MemoryBackend, copying", MemoryBackend.layer({ copy: true }))
}
