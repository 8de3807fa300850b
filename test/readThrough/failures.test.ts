/**
 * Typed errors that are kept: among several processes, with callers who leave, and for what a process of an older version makes of
 * them.
 */
import { assert, describe, it } from "@effect/vitest"
import { Data, Effect, Exit, FiberId, Schema } from "effect"
import { cached, MemoryBackend } from "effect-cached"
import { codecFor, failureCodecFor } from "../../src/internal/entries/ValueCodec.js"
import { decodePlain, encodePlain } from "../../src/internal/values/plainData.js"
import { asyncStore } from "../support/asyncStore.js"
import { endOf, memoryStore, rigIn, runIn } from "../support/backend.js"
import { breathe } from "../support/breathe.js"
import { Simulation, seeded } from "../support/simulation.js"
import { warned } from "../support/warned.js"

const takes = 20

const world = (network: boolean) => {
  const simulation = new Simulation(seeded(1))
  const process = simulation.process()
  const inner = runIn(simulation, process, Effect.scoped(memoryStore))
  const rig = rigIn(simulation, process, network ? asyncStore(inner, () => ({ there: 1, back: 1 })) : inner)
  return { simulation, process, rig }
}

for (const network of [false, true]) {
  describe(network ? "over a network" : "in this process", () => {
    it("who waits in another process gets the error, and computes nothing", () => {
      const { simulation, process, rig } = world(network)
      const other = rigIn(simulation, process, rig.store)
      let runs = 0
      const f = cached(
        Effect.suspend(() => Effect.delay(Effect.fail(++runs), takes)),
        { key: "f", failures: { ttl: "1 hour" } }
      )
      const callers = [rig, other, rig, other].map(({ provide }) => process.fork(provide(f)))
      for (const caller of callers) assert.deepStrictEqual(endOf(simulation, caller, "it is told"), Exit.fail(1))
      assert.strictEqual(runs, 1)
      assert.isFalse(runIn(simulation, process, rig.leased("f")))
    })

    it("the error of a computation whose starter has left is not kept", () => {
      const { simulation, process, rig } = world(network)
      let runs = 0
      const f = cached(
        Effect.suspend(() => {
          const end = ++runs === 1 ? Effect.fail("closed") : Effect.succeed(runs)
          return Effect.delay(end, takes)
        }),
        { key: "f", finish: true, failures: { ttl: "1 hour" } }
      )
      const first = process.fork(rig.provide(f))
      simulation.until(() => runs === 1, "it computes")
      first.unsafeInterruptAsFork(FiberId.none)
      simulation.pass(3 * takes)
      assert.deepStrictEqual(endOf(simulation, process.fork(rig.provide(f)), "it has its answer"), Exit.succeed(2))
    })

    it("a caller who is interrupted at any moment harms nobody, and leaves no lease", async () => {
      for (let moment = 0; moment < 200; moment += network ? 3 : 1) {
        await breathe()
        const { simulation, process, rig } = world(network)
        let runs = 0
        const f = cached(
          Effect.suspend(() => Effect.delay(Effect.fail(++runs), takes)),
          { key: "f", failures: { ttl: "1 hour" } }
        )
        simulation.everyOperation = true
        const victim = process.fork(rig.provide(f))
        for (let step = 0; step < moment; step++) simulation.step()
        const other = process.fork(rig.provide(f))
        victim.unsafeInterruptAsFork(FiberId.none)
        endOf(simulation, victim, "the victim ends")
        const exit = endOf(simulation, other, "the other has its answer")
        assert.deepStrictEqual(exit, Exit.fail(runs), `after ${moment} steps`)
        assert.isAtMost(runs, 2)
        simulation.pass(10)
        assert.isFalse(runIn(simulation, process, rig.leased("f")))
        assert.deepStrictEqual(endOf(simulation, process.fork(rig.provide(f)), "a later call"), Exit.fail(runs))
      }
    })
  })
}

it("while the store can't be reached it is computed, and nothing fails otherwise", () => {
  const simulation = new Simulation(seeded(1))
  const process = simulation.process()
  const inner = runIn(simulation, process, Effect.scoped(memoryStore))
  const rig = rigIn(
    simulation,
    process,
    asyncStore(inner, () => ({ there: 1, back: 1, fault: "refused" }))
  )
  const f = cached(Effect.fail("error"), { key: "f", failures: { ttl: "1 hour" } })
  for (let call = 0; call < 3; call++) {
    assert.deepStrictEqual(endOf(simulation, process.fork(rig.provide(f)), "it is told"), Exit.fail("error"))
  }
})

class Refused extends Data.TaggedError("Refused")<{ readonly secret: string }> {}

it.effect("an instance without a schema: one warning names the option, and quotes nothing", () =>
  Effect.gen(function* () {
    const log = warned()
    const f = cached((_id: number) => Effect.fail(new Refused({ secret: "hunter2" })), {
      key: "f",
      failures: { ttl: "1 hour" }
    })
    yield* Effect.forEach([1, 2, 3], (id) => Effect.flip(f(id))).pipe(
      Effect.provide([MemoryBackend.layer({ copy: true }), log.layer])
    )
    assert.deepStrictEqual(log.lines, [
      "The error of f(1) is not cached: value is an instance of Refused, which can't be stored; " +
        "the option failures.schema says how to encode it"
    ])
  })
)

describe("the payload says that it is an error", () => {
  class Known extends Schema.TaggedError<Known>()("Known", { id: Schema.Number }) {}

  it("so that no codec of values reads it, neither this version's nor an older one's", () => {
    const codec = failureCodecFor("bytes", Known)
    const payload = Effect.runSync(codec.encode(new Known({ id: 1 })))
    assert.instanceOf(payload, Uint8Array)
    assert.strictEqual(decodePlain(payload as Uint8Array)._tag, "Left")
    assert.strictEqual(Effect.runSyncExit(codecFor("bytes", undefined).decode(payload))._tag, "Failure")
    assert.strictEqual(Effect.runSyncExit(codecFor("bytes", Known).decode(payload))._tag, "Failure")
    assert.deepStrictEqual(Effect.runSync(codec.decode(payload)), new Known({ id: 1 }))
  })

  it("and no value is read as an error", () => {
    for (const value of [null, "", "text", 4, new Uint8Array([4, 4]), Buffer.from([4]), { a: 1n }, [4]]) {
      const encoded = encodePlain(value)
      const payload = encoded._tag === "Right" ? encoded.right : new Uint8Array()
      assert.strictEqual(Effect.runSyncExit(failureCodecFor("bytes", undefined).decode(payload))._tag, "Failure")
    }
  })
})
