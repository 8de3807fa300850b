/**
 * Interrupts a caller after each single step between its call and its answer (in `quick` after every third), alone and with other
 * callers, over a store in this process and over one on a network. Whatever the step: the others get the value, a later call is answered at once, and no lease
 * and no flight is left.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, type Fiber, FiberId } from "effect"
import { type CacheBackend, cached } from "effect-cached"
import { asyncStore } from "../support/asyncStore.js"
import { endOf, memoryStore, rigIn, runIn } from "../support/backend.js"
import { breathe } from "../support/breathe.js"
import { type Choose, inTurn, Simulation, seeded } from "../support/simulation.js"
import { whole } from "../support/size.js"

type Operation = "lookup" | "forceRecalc" | "invalidate"

interface Scenario {
  readonly victim: Operation
  readonly start: "absent" | "fresh" | "stale"
  readonly revalidate: "caller" | "background"
  readonly softTimeout?: number
  readonly others: ReadonlyArray<Operation>
  /** How many steps after the victim the others call; negative: before it. */
  readonly behind: number
  readonly network: boolean
}

const computing = 5
const trip = 1

/** `false`: the victim had its answer before it was interrupted. */
const interruptedAfter = (scenario: Scenario, moment: number, choose: Choose): boolean => {
  const simulation = new Simulation(choose)
  const process = simulation.process()
  const inner = runIn(simulation, process, Effect.scoped(memoryStore))
  const rig = rigIn(
    simulation,
    process,
    scenario.network ? asyncStore(inner, () => ({ there: trip, back: trip })) : inner
  )
  let running = 0
  const compute = Effect.acquireUseRelease(
    Effect.sync(() => ++running),
    () => Effect.as(Effect.sleep(computing), 42),
    () => Effect.sync(() => --running)
  )
  const { revalidate, softTimeout } = scenario
  const number = cached(compute, {
    key: "number",
    ttl: 100,
    stale: "1 hour",
    revalidate,
    ...(softTimeout === undefined ? {} : { softTimeout })
  })
  const operations: Record<Operation, Effect.Effect<number | undefined, unknown, CacheBackend>> = {
    lookup: number,
    forceRecalc: number.forceRecalc,
    invalidate: Effect.as(number.invalidate, undefined)
  }
  if (scenario.start !== "absent") runIn(simulation, process, rig.provide(number))
  if (scenario.start === "stale") simulation.pass(101)

  simulation.everyOperation = true
  const victimAt = Math.max(0, -scenario.behind)
  const othersAt = Math.max(0, scenario.behind)
  let victim: Fiber.RuntimeFiber<unknown, unknown> | undefined
  let others: ReadonlyArray<readonly [Operation, Fiber.RuntimeFiber<unknown, unknown>]> = []
  let late = false
  for (let step = 0; step <= Math.max(othersAt, victimAt + moment); step++) {
    if (step === victimAt) victim = process.fork(rig.provide(operations[scenario.victim]))
    if (step === othersAt) others = scenario.others.map((name) => [name, process.fork(rig.provide(operations[name]))])
    if (step === victimAt + moment) {
      late = victim?.unsafePoll() !== null
      victim?.unsafeInterruptAsFork(FiberId.none)
    }
    simulation.step()
  }
  if (victim === undefined) throw new Error("no victim")
  const end = endOf(simulation, victim, "the victim ends")
  assert.isTrue(Exit.isSuccess(end) || Cause.isInterruptedOnly(end.cause), `the victim ended with ${end}`)
  for (const [name, fiber] of others) {
    const exit = endOf(simulation, fiber, "another caller has its answer")
    assert.deepStrictEqual(exit, Exit.succeed(name === "invalidate" ? undefined : 42))
  }
  if (revalidate === "background" || softTimeout !== undefined)
    simulation.until(() => !rig.runs("number"), "the refresh ends", 100)
  assert.strictEqual(rig.flights(), 0, "no flight is left")
  assert.strictEqual(running, 0, "no computation is left")
  // A caller does not wait until the server has the lease back.
  if (scenario.network) simulation.pass(3 * 2 * trip)
  assert.isFalse(runIn(simulation, process, rig.leased("number")), "no lease is left")

  simulation.everyOperation = false
  const asked = simulation.time
  assert.strictEqual(runIn(simulation, process, rig.provide(number)), 42, "a later call has its answer")
  const roundTrips = scenario.network ? 3 * 2 * trip : 0
  assert.isAtMost(simulation.time - asked, computing + roundTrips, "and need not wait for anybody")
  return !late
}

/** The number of steps at which a caller was interrupted. */
const sweep = async (scenario: Scenario, first = 0, stride = 1): Promise<number> => {
  let moment = first
  while (interruptedAfter(scenario, moment, inTurn)) {
    moment += stride
    await breathe()
    assert.isBelow(moment, 5_000)
  }
  return moment
}

const alone = { others: [], behind: 0, revalidate: "caller" } as const

for (const network of [false, true]) {
  describe(`a caller is interrupted at any moment, ${network ? "behind a network" : "in this process"}`, () => {
    const cases: Record<string, Omit<Scenario, "network">> = {
      "a hit": { ...alone, victim: "lookup", start: "fresh" },
      "a miss": { ...alone, victim: "lookup", start: "absent" },
      "a stale refresh": { ...alone, victim: "lookup", start: "stale" },
      "a refresh that it waits for": { ...alone, victim: "lookup", start: "stale", softTimeout: 100 },
      "a refresh that it does not wait for to the end": { ...alone, victim: "lookup", start: "stale", softTimeout: 2 },
      "a background refresh": { ...alone, victim: "lookup", start: "stale", revalidate: "background" },
      "forceRecalc of nothing": { ...alone, victim: "forceRecalc", start: "absent" },
      "forceRecalc of a fresh value": { ...alone, victim: "forceRecalc", start: "fresh" },
      invalidate: { ...alone, victim: "invalidate", start: "fresh" }
    }
    for (const [name, scenario] of Object.entries(cases)) {
      it(name, async () => {
        assert.isAbove(await sweep({ ...scenario, network }, 0, whole ? (network ? 2 : 1) : 3), 20)
      })
    }

    const crowd: Record<string, Pick<Scenario, "victim" | "start" | "revalidate" | "others">> = {
      "a miss beside one": { victim: "lookup", start: "absent", revalidate: "caller", others: ["lookup"] },
      "a miss beside three": {
        victim: "lookup",
        start: "absent",
        revalidate: "caller",
        others: ["lookup", "lookup", "forceRecalc"]
      },
      "a stale refresh beside two": {
        victim: "lookup",
        start: "stale",
        revalidate: "caller",
        others: ["lookup", "lookup"]
      },
      "forceRecalc beside a miss": { victim: "forceRecalc", start: "absent", revalidate: "caller", others: ["lookup"] },
      "forceRecalc beside its like": {
        victim: "forceRecalc",
        start: "fresh",
        revalidate: "caller",
        others: ["forceRecalc", "lookup"]
      },
      "invalidate beside a miss": { victim: "invalidate", start: "absent", revalidate: "caller", others: ["lookup"] },
      "a miss beside invalidate": {
        victim: "lookup",
        start: "absent",
        revalidate: "caller",
        others: ["invalidate", "lookup"]
      },
      "a background refresh beside forceRecalc": {
        victim: "forceRecalc",
        start: "stale",
        revalidate: "background",
        others: ["lookup", "lookup"]
      }
    }
    for (const [name, scenario] of Object.entries(crowd)) {
      it(name, async () => {
        for (const [behind, first] of [
          [-60, 0],
          [-9, 5],
          [1, 9],
          [30, 14]
        ] as const) {
          await sweep({ ...scenario, behind, network }, first, whole ? 19 : 67)
        }
      })
    }

    it("in random turns", () => {
      for (let seed = 0; seed < (whole ? 15 : 6); seed++) {
        for (const scenario of Object.values(crowd)) {
          const behind = (seed % 12) - 6
          interruptedAfter({ ...scenario, behind, network }, (seed * 17) % 250, seeded(seed))
        }
      }
    })
  })
}
