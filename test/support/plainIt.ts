/**
 * Before each test file: `layer` of `@effect/vitest` puts its own `effect` and `scoped` over those of vitest's one `it`, where
 * the next file of the same process would find them. And `deepStrictEqual` becomes Node's: to that of chai `Option.none()` equals
 * `Option.some(1)`.
 */
import { deepStrictEqual } from "node:assert"
import { assert, makeMethods } from "@effect/vitest"
import { it } from "vitest"

makeMethods(Object.assign(it, { scopedFixtures: it.scoped }))
Object.assign(assert, { deepStrictEqual })
