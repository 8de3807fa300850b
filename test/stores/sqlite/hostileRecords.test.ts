import { describe } from "@effect/vitest"
import { hostileRows } from "../../suites/sql/hostile.js"
import { sqlite } from "./support.js"

describe("records in SQLite", () => {
  hostileRows(sqlite(), {
    put: (
      table
    ) => `INSERT INTO ${table} (key, token, value, expires_at) VALUES (?1, hex(randomblob(16)), ?2, 4000000000000)
      ON CONFLICT (key) DO UPDATE SET token = excluded.token, value = excluded.value, expires_at = excluded.expires_at`,
    damages: (table) => [
      ["a token that is no text", `UPDATE ${table} SET token = x'00ff' WHERE key = ?1`],
      ["a value that is no bytes", `UPDATE ${table} SET value = 1.5 WHERE key = ?1`],
      ["a value that is a text", `UPDATE ${table} SET value = 'text' WHERE key = ?1`],
      ["a time that is a text", `UPDATE ${table} SET expires_at = 'text', value = 'text' WHERE key = ?1`]
    ]
  })
})
