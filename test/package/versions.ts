/** The oldest versions of what the library builds on: named by its peer dependencies and by the README. */
export const oldest = {
  effect: "3.14.0",
  /** For Persistence, KeyValueStore and Dashboard. */
  native: { effect: "3.14.2", "@effect/experimental": "0.44.2", "@effect/platform": "0.80.2" },
  /** All that a program on PostgreSQL and on SQLite has installed. */
  sql: {
    effect: "3.19.17",
    "@effect/sql": "0.49.0",
    "@effect/sql-pg": "0.50.3",
    "@effect/sql-libsql": "0.39.0",
    "@effect/sql-sqlite-node": "0.50.1",
    "@effect/platform": "0.94.5",
    "@effect/experimental": "0.58.0"
  }
}
