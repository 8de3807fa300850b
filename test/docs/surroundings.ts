/** What the blocks of the pages name without a definition, as their readers would have it. */

const surroundings: Readonly<Record<string, string>> = {
  Console: 'import { Console } from "effect"',
  Duration: 'import { Duration } from "effect"',
  Effect: 'import { Effect } from "effect"',
  Exit: 'import { Exit } from "effect"',
  Layer: 'import { Layer } from "effect"',
  Option: 'import { Option } from "effect"',
  Redacted: 'import { Redacted } from "effect"',
  Schema: 'import { Schema } from "effect"',
  Stream: 'import { Stream } from "effect"',
  readFileSync: 'import { readFileSync } from "node:fs"',
  cached: 'import { cached } from "effect-cached"',
  afterCommit: 'import { afterCommit } from "effect-cached"',
  getOrSet: 'import { getOrSet } from "effect-cached"',
  invalidateGroup: 'import { invalidateGroup } from "effect-cached"',
  CacheBackend: 'import { CacheBackend } from "effect-cached"',
  MemoryBackend: 'import { MemoryBackend } from "effect-cached"',
  NoopBackend: 'import { NoopBackend } from "effect-cached"',
  StoreBackend: 'import { StoreBackend } from "effect-cached"',
  TieredBackend: 'import { TieredBackend } from "effect-cached"',
  SqlBackend: 'import * as SqlBackend from "effect-cached/SqlBackend"',
  MemcachedBackend: 'import * as MemcachedBackend from "effect-cached/MemcachedBackend"',
  RedisBackend: 'import * as RedisBackend from "effect-cached/RedisBackend"',
  PgBus: 'import * as PgBus from "effect-cached/PgBus"',
  RedisBus: 'import * as RedisBus from "effect-cached/RedisBus"',
  PgClient: 'import { PgClient } from "@effect/sql-pg"',
  SqliteClient: 'import { SqliteClient } from "@effect/sql-sqlite-node"',
  config: 'declare const config: { readonly url: import("effect").Config.Config<import("effect").Redacted.Redacted> }',
  program: 'declare const program: import("effect").Effect.Effect<number, never, import("effect-cached").CacheBackend>',
  buildReport: 'declare const buildReport: import("effect").Effect.Effect<{ readonly total: number }>',
  City: 'declare class City extends (await import("effect")).Schema.Class<City>("City")({ slug: (await import("effect")).Schema.String }) {}',
  CityRepo:
    'declare class CityRepo extends (await import("effect")).Context.Tag("CityRepo")<CityRepo, { readonly bySlug: (slug: string) => import("effect").Effect.Effect<City> }>() {}',
  cityBySlug: 'declare const cityBySlug: import("effect-cached").CachedFunction<[slug: string], object, never, never>',
  findProduct: 'declare const findProduct: (id: number) => import("effect").Effect.Effect<{ readonly cents: number }>',
  updatePrice: 'declare const updatePrice: (id: number, cents: number) => import("effect").Effect.Effect<void>',
  product: 'declare const product: import("effect-cached").CachedFunction<[id: number], object, never, never>',
  sql: 'declare const sql: import("@effect/sql/SqlClient").SqlClient',
  update: 'declare const update: import("effect").Effect.Effect<void>',
  slug: "declare const slug: string",
  ids: "declare const ids: ReadonlyArray<string>",
  population: "declare const population: number",
  password: "declare const password: string"
}

const isNamed = (name: string, code: string): boolean => new RegExp(`(?<![.\\w"])${name}\\b(?!:)`).test(code)

/** What the code names, and what that names in its turn. */
const needed = (code: string): ReadonlyArray<string> => {
  const found = new Map<string, string>()
  const visit = (part: string): void => {
    for (const [name, line] of Object.entries(surroundings)) {
      if (found.has(name) || !isNamed(name, part) || new RegExp(`(const|class) ${name}\\b`).test(code)) continue
      found.set(name, line)
      if (line.startsWith("declare class")) visit(line)
    }
  }
  visit(code)
  return [...found.values()]
}

/** A module of its own: what it names comes first. A block that yields is the body of a generator. */
export const moduleOf = (block: string): string => {
  if (block.includes("import {")) return block
  const isBody = /^yield\*/m.test(block)
  const body = isBody ? `export const body = Effect.gen(function* () {\n${block}})\n` : block
  return `${needed(body).join("\n")}\n${body}\nexport {}\n`
}
