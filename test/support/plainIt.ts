/**
 * Before each test file: `layer` of `@effect/vitest` puts its own `effect` and `scoped` over those of vitest's one `it`, where
 * the next file of the same process would find them.
 */
import { makeMethods } from "@effect/vitest"
import { it } from "vitest"

makeMethods(Object.assign(it, { scopedFixtures: it.scoped }))
