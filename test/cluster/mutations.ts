/**
 * Do the checkers notice a broken promise? Each mutation breaks one in a copy of the sources. The cluster runs on the copy, and the
 * checker must find a violation. `npm run proof -- --mutations` prints it.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Console, Effect } from "effect"
import { bundle, projectRoot } from "../support/bundle.js"
import { judge } from "./judge.js"
import { planFor } from "./profiles.js"
import { runCluster, workerEntry } from "./runner.js"
import { memcachedServer, tiered } from "./servers.js"

interface Mutation {
  readonly name: string
  /** Under `src`. */
  readonly file: string
  readonly original: string
  readonly broken: string
  /** The promise whose checker must find a violation. */
  readonly promise: string
  /** Whether it is seen with a tier in each process. */
  readonly inTier?: boolean
}

const outlives = "nothing outlives its invalidation"

export const mutations: ReadonlyArray<Mutation> = [
  {
    name: "a result is stored without compare-and-set",
    file: "internal/readThrough/leases/LeaseWrites.ts",
    original: "return Effect.map(overwrite(this.store, request.key, own.token, entry, own.entry), (replaced) => {",
    broken:
      "return Effect.map(Effect.withFiberRuntime((fiber) => this.store.write(fiber, [{ key: request.key, entry }], () => Effect.succeed(Option.some(own.token)), Effect.fail)), (replaced) => {",
    promise: outlives
  },
  {
    name: "a key is leased without compare-and-set",
    file: "internal/readThrough/leases/Leases.ts",
    original: `stored === undefined
            ? store.add(request.key, entry)
            : overwrite(store, request.key, stored.token, entry, stored.entry),`,
    broken:
      "store.write(fiber, [{ key: request.key, entry }], () => Effect.succeed(Option.some<unknown>({})), Effect.fail),",
    promise: "one computation per key and freshness window"
  },
  {
    name: "group versions are captured after computing",
    file: "internal/readThrough/leases/LeaseEnds.ts",
    original: "return Effect.flatMap(Effect.zip(encoding, jitterOf(policy)), ([payload, random]) => {",
    broken:
      'return Effect.flatMap(Effect.zipLeft(Effect.zip(encoding, jitterOf(policy)), Effect.map(Effect.flatMap(Effect.promise(() => import("../../entries/EntryReader.js")), ({ EntryReader }) => new EntryReader(this.writes.store).capture(request.groups, lifeFor(60_000))), (groups) => { own.entry = { ...own.entry, groups } })), ([payload, random]) => {',
    promise: outlives
  },
  {
    name: "a tier forgets its bound",
    file: "internal/stores/tiered/TieredStore.ts",
    original: "sentAt + options.maxStaleness",
    broken: "Infinity",
    promise: outlives,
    inTier: true
  }
]

/** The text of the file with the promise broken. Throws if the text to be replaced is not there exactly once. */
export const mutate = ({ broken, file, name, original }: Mutation): string => {
  const text = readFileSync(join(projectRoot, "src", file), "utf8")
  if (text.split(original).length !== 2) {
    throw new Error(`"${name}" does not apply: its line is not, or not once, in src/${file}`)
  }
  return text.replace(original, () => broken)
}

/** The worker over the sources with one promise broken. */
const brokenWorker = (mutation: Mutation) =>
  Effect.gen(function* () {
    const directory = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-cached-mutation-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
    )
    cpSync(join(projectRoot, "src"), directory, { recursive: true })
    writeFileSync(join(directory, mutation.file), mutate(mutation))
    return yield* bundle(workerEntry, directory)
  })

const rounds = 10
const maxStaleness = 250

/** Runs until the checker goes red. */
const seesIt = (mutation: Mutation) =>
  Effect.gen(function* () {
    const worker = yield* brokenWorker(mutation)
    for (let round = 0; round < rounds; round++) {
      const plan = planFor(mutation.promise === outlives ? "stormy" : "calm", 4711 + round, 0, {
        duration: 4_000,
        longestPause: 3
      })
      const run = yield* Effect.flatMap(memcachedServer({ faulty: false }), (server) =>
        runCluster(plan, mutation.inTier === true ? tiered(server, maxStaleness) : server, worker)
      ).pipe(Effect.scoped)
      const red = judge(run, plan, { maxStaleness: mutation.inTier === true ? maxStaleness : 0 }).find(
        ({ promise }) => promise === mutation.promise
      )
      if (red !== undefined && red.violations.length > 0) return red
    }
    return yield* Effect.fail(new Error(`nobody noticed that ${mutation.name}`))
  }).pipe(Effect.scoped)

export const proveMutations: Effect.Effect<void, unknown> = Effect.forEach(
  mutations,
  (mutation) =>
    Effect.flatMap(seesIt(mutation), ({ judged, promise, violations }) =>
      Console.log(
        `${mutation.name}: seen, ${violations.length} violations of "${promise}" in ${judged} cases\n  ${violations[0]}`
      )
    ),
  { discard: true }
)
