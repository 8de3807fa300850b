/** The example application as its users meet it: over HTTP, with its own cache and with others in its place. */
import { spawn } from "node:child_process"
import { expect, it } from "@effect/vitest"
import { Array, Effect } from "effect"
import { MemoryBackend, NoopBackend } from "effect-cached"
import { describe } from "vitest"
import { Change, CityId, CityNotFound, Country } from "../../examples/app/domain.js"
import { Cache } from "../../examples/app/layers.js"
import { bundle, projectRoot } from "../support/bundle.js"
import { whole } from "../support/size.js"
import { clientOf, freshSchema, instance } from "./instances.js"

const lisbon = CityId.make(2267057)
const porto = CityId.make(2735943)
const atlantis = CityId.make(1)
const one = (id: CityId) => ({ path: { id } })
const many = (...ids: ReadonlyArray<CityId>) => ({ urlParams: { ids } })
const search = (country: string, prefix: string) => ({
  path: { country: Country.make(country) },
  urlParams: { prefix }
})
const census = (...changes: Array.NonEmptyArray<readonly [CityId, number]>) => ({
  payload: Array.map(changes, ([id, population]) => new Change({ id, population }))
})
const names = (cities: ReadonlyArray<{ readonly name: string }>) => cities.map(({ name }) => name)

/** All caches answer alike: what is cached differs. */
const layers = [
  { name: "its own cache", cache: Cache, keeps: true },
  ...(whole ? [{ name: "memory", cache: MemoryBackend.layer({ copy: true }), keeps: true }] : []),
  { name: "no cache", cache: NoopBackend.layer, keeps: false }
]

describe.each(layers)("with $name", ({ cache, keeps }) => {
  /** Of a call that was made before. */
  const again = (queries: number) => (keeps ? 0 : queries)

  it.scopedLive("one, many and search are read once, and share their entries", () =>
    Effect.gen(function* () {
      const { api, counted } = yield* instance(yield* freshSchema, cache)
      const [city, first] = yield* counted(api.cities.one(one(lisbon)))
      expect([city.name, city.country, first]).toEqual(["Lisbon", "PT", 1])
      expect(yield* counted(api.cities.one(one(lisbon)))).toEqual([city, again(1)])

      const [cities, rest] = yield* counted(api.cities.many(many(porto, atlantis, lisbon)))
      expect([names(cities), rest]).toEqual([["Porto", "Lisbon"], 1])
      expect(yield* counted(api.cities.many(many(lisbon, porto, atlantis)))).toEqual([cities.toReversed(), again(1)])

      const [found, looked] = yield* counted(api.cities.search(search("PT", "L")))
      expect([names(found)[0], looked]).toEqual(["Lisbon", 1])
      expect(yield* counted(api.cities.search(search("PT", "l")))).toEqual([found, again(1)])
    })
  )

  it.scopedLive("what there is not is a typed 404, and without a tenant nothing is answered", () =>
    Effect.gen(function* () {
      const { api, baseUrl, counted } = yield* instance(yield* freshSchema, cache)
      const missing = Effect.flip(api.cities.one(one(atlantis)))
      expect(yield* counted(missing)).toEqual([new CityNotFound({ id: atlantis }), 1])
      expect(yield* counted(missing)).toEqual([new CityNotFound({ id: atlantis }), again(1)])
      const status = (path: string, headers = {}) =>
        Effect.promise(async () => (await fetch(`${baseUrl}${path}`, { headers })).status)
      expect(yield* status("/cities/1", { "x-tenant": "acme" })).toBe(404)
      expect(yield* status("/cities/2267057")).toBe(401)
      expect(yield* status("/cities/lisbon", { "x-tenant": "acme" })).toBe(400)
    })
  )

  it.scopedLive("a census is seen by whoever asks after its answer, in the city, in lists and in searches", () =>
    Effect.gen(function* () {
      const { api, counted } = yield* instance(yield* freshSchema, cache)
      const everywhere = Effect.all({
        one: api.cities.one(one(lisbon)),
        many: Effect.map(api.cities.many(many(lisbon)), Array.unsafeGet(0)),
        search: Effect.map(api.cities.search(search("PT", "lis")), Array.unsafeGet(0)),
        elsewhere: Effect.map(api.cities.search(search("GB", "lon")), Array.unsafeGet(0))
      })
      const { elsewhere } = yield* everywhere
      for (let population = 1; population <= 20; population++) {
        yield* api.cities.census(census([lisbon, population]))
        const [seen, queries] = yield* counted(everywhere)
        const { one, many, search } = seen
        expect([one.population, many.population, search.population]).toEqual([population, population, population])
        expect(seen.elsewhere).toEqual(elsewhere)
        // one for the city, one for the search of its country
        expect(queries).toBe(keeps ? 2 : 4)
      }
    })
  )

  it.scopedLive("a census that fails changes nothing, and invalidates nothing", () =>
    Effect.gen(function* () {
      const { api, counted, population } = yield* instance(yield* freshSchema, cache)
      const before = yield* api.cities.one(one(lisbon))
      const refused = yield* Effect.flip(api.cities.census(census([lisbon, 1], [atlantis, 1])))
      expect(refused).toEqual(new CityNotFound({ id: atlantis }))
      expect(yield* population(lisbon)).toBe(before.population)
      expect(yield* counted(api.cities.one(one(lisbon)))).toEqual([before, again(1)])
    })
  )

  it.scopedLive("whoever reads while a census is committed has the old value, and the new one after its answer", () =>
    Effect.gen(function* () {
      const { api, slowCommits } = yield* instance(yield* freshSchema, cache)
      const commits = yield* slowCommits
      const read = Effect.map(api.cities.one(one(lisbon)), ({ population }) => population)
      const before = yield* read
      for (const population of [1, 2, 3]) {
        const written = yield* Effect.fork(api.cities.census(census([lisbon, population])))
        yield* commits.arrived
        expect([yield* read, yield* read]).toEqual(
          population === 1 ? [before, before] : [population - 1, population - 1]
        )
        yield* commits.letOne
        yield* written
        expect(yield* read).toBe(population)
      }
    })
  )

  it.scopedLive("a census whose commit fails changes nothing", () =>
    Effect.gen(function* () {
      const { api, failingCommits, population } = yield* instance(yield* freshSchema, cache)
      yield* failingCommits
      const before = yield* api.cities.one(one(lisbon))
      const refused = yield* Effect.flip(api.cities.census(census([lisbon, 1])))
      expect(refused).toMatchObject({ _tag: "ResponseError", response: { status: 500 } })
      expect(yield* population(lisbon)).toBe(before.population)
      expect(yield* api.cities.one(one(lisbon))).toEqual(before)
    })
  )

  it.scopedLive("each tenant has its own favourites, and all share the cities", () =>
    Effect.gen(function* () {
      const { api, baseUrl, counted } = yield* instance(yield* freshSchema, cache)
      const other = yield* clientOf(baseUrl, "globex")
      expect(yield* api.favourites.list({})).toEqual([])
      yield* api.favourites.add({ path: { id: lisbon } })
      yield* other.favourites.add({ path: { id: porto } })
      expect(names(yield* api.favourites.list({}))).toEqual(["Lisbon"])
      expect(names(yield* other.favourites.list({}))).toEqual(["Porto"])
      yield* other.favourites.add({ path: { id: lisbon } })
      const [cities, queries] = yield* counted(other.favourites.list({}))
      // the ids anew; the cities are there
      expect([names(cities), queries]).toEqual([["Porto", "Lisbon"], keeps ? 1 : 2])
      expect(yield* Effect.flip(api.favourites.add({ path: { id: atlantis } }))).toEqual(
        new CityNotFound({ id: atlantis })
      )
    })
  )
})

describe("two instances", () => {
  const two = Effect.gen(function* () {
    const url = yield* freshSchema
    return yield* Effect.all([instance(url, Cache), instance(url, Cache)], { concurrency: "unbounded" })
  })

  it.scopedLive("prepare one database, and ask it once for what 200 requests want at once", () =>
    Effect.gen(function* () {
      const instances = yield* two
      const [here] = instances
      expect(yield* here.sql`SELECT count(*)::int AS cities FROM cities`).toEqual([{ cities: 4442 }])
      const before = Array.map(instances, ({ queries }) => queries())
      const answers = yield* Effect.forEach(
        Array.range(1, 200),
        (n) => (instances[n % 2] ?? here).api.cities.one(one(lisbon)),
        { concurrency: "unbounded" }
      )
      expect(new Set(names(answers))).toEqual(new Set(["Lisbon"]))
      const after = Array.map(instances, ({ queries }) => queries())
      expect(after.reduce((sum, n) => sum + n) - before.reduce((sum, n) => sum + n)).toBe(1)
    })
  )

  it.scopedLive("each sees what the other has written, after a second at the latest", () =>
    Effect.gen(function* () {
      const [here, there] = yield* two
      const look = Effect.all([
        Effect.map(there.api.cities.one(one(lisbon)), ({ population }) => population),
        Effect.map(there.api.cities.search(search("PT", "lis")), ([city]) => city?.population)
      ])
      for (const population of [1, 2, 3]) {
        yield* look
        // The memory of the other keeps what it has read, not what it has computed.
        yield* look
        yield* here.api.cities.census(census([lisbon, population]))
        yield* Effect.sleep("1 second")
        expect(yield* look).toEqual([population, population])
      }
    })
  )
})

describe("npm run app", () => {
  /** The program itself, from its start to its end by Ctrl-C. */
  const program = (file: string, url: string) =>
    Effect.gen(function* () {
      const child = yield* Effect.acquireRelease(
        Effect.sync(() =>
          spawn(process.execPath, [file], { cwd: projectRoot, env: { ...process.env, DATABASE_URL: url, PORT: "0" } })
        ),
        (child) => Effect.sync(() => child.kill("SIGKILL"))
      )
      let said = ""
      const ended = new Promise<number | null>((resolve) => child.once("close", resolve))
      const address = yield* Effect.promise(
        () =>
          new Promise<string>((resolve, reject) => {
            const hear = (chunk: string) => {
              said += chunk
              const found = /Listening on http:\/\/0\.0\.0\.0:(\d+)/.exec(said)?.[1]
              if (found !== undefined) resolve(`http://127.0.0.1:${found}`)
            }
            child.stdout.setEncoding("utf8").on("data", hear)
            child.stderr.setEncoding("utf8").on("data", hear)
            child.once("close", () => reject(new Error(said)))
          })
      )
      const ctrlC = Effect.promise(() => {
        child.kill("SIGINT")
        return ended
      })
      return { api: yield* clientOf(address), ctrlC, said: () => said }
    })

  it.scopedLive("two processes start on an empty database, share it, and end on Ctrl-C", () =>
    Effect.gen(function* () {
      const file = yield* bundle(`${projectRoot}/examples/app/main.ts`)
      const url = yield* freshSchema
      const [here, there] = yield* Effect.all([program(file, url), program(file, url)], { concurrency: "unbounded" })
      expect((yield* there.api.cities.one(one(lisbon))).name).toBe("Lisbon")
      yield* here.api.cities.census(census([lisbon, 7]))
      yield* Effect.sleep("1 second")
      expect((yield* there.api.cities.one(one(lisbon))).population).toBe(7)
      for (const each of [here, there]) {
        expect(yield* each.ctrlC).toBe(0)
        expect(each.said()).not.toMatch(/WARN|ERROR/)
      }
    })
  )
})
