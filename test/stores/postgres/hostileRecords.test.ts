import { describe } from "@effect/vitest"
import { hostileRows } from "../../suites/sql/hostile.js"
import { postgres } from "./support.js"

describe("records in PostgreSQL", () => {
  hostileRows(postgres, {
    put: (table) => `INSERT INTO ${table} AS r (key, token, value, expires_at)
      VALUES ($1, gen_random_uuid(), $2, now() + interval '1 hour')
      ON CONFLICT (key) WHERE change = '00000000-0000-0000-0000-000000000000'
      DO UPDATE SET token = EXCLUDED.token, value = EXCLUDED.value, expires_at = EXCLUDED.expires_at`,
    damages: (table) => [
      ["no token", `UPDATE ${table} SET token = NULL WHERE key = $1`],
      ["no value", `UPDATE ${table} SET value = NULL WHERE key = $1`],
      ["neither, for ever", `UPDATE ${table} SET token = NULL, value = NULL, expires_at = 'infinity' WHERE key = $1`]
    ]
  })
})
