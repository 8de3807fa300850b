import { MemoryBackend } from "effect-cached"
import { cachedSuite } from "../suites/cachedSuite.js"

cachedSuite("cached on MemoryBackend, by reference", MemoryBackend.layer())
cachedSuite("cached on MemoryBackend, copying", MemoryBackend.layer({ copy: true }))
