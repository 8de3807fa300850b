/** Services that live as long as a request: does a request ever meet the closed connection of another one? */
import { Context, Effect, Exit, Fiber, Layer } from "effect"
import { cached } from "effect-cached"
import { stamp } from "../cluster/history.js"
import { storeLayer } from "../cluster/stores.js"
import { count, type Row, type Scenario, storeTitles } from "./scenario.js"

interface Connection {
  isOpen: boolean
}

class RequestConnection extends Context.Tag("proof/RequestConnection")<RequestConnection, Connection>() {}

const requests = 6_000
const keys = 16
const ttl = 40
/** Without a stale value callers wait for the computation of another request. */
const staleOf = { caller: 0, background: 2_000 } as const
/** Of a computation, in milliseconds. */
const lasting = 15

const query = Effect.flatMap(RequestConnection, (connection) =>
  Effect.flatMap(Effect.sleep(lasting), () =>
    connection.isOpen ? Effect.succeed(stamp()) : Effect.fail("the connection of this request is closed")
  )
)

const connected = Effect.acquireRelease(
  Effect.sync((): Connection => ({ isOpen: true })),
  (connection) =>
    Effect.sync(() => {
      connection.isOpen = false
    })
)

export const requestScoped: Scenario = ({ server, store }) =>
  Effect.gen(function* () {
    const { store: description } = yield* server({ faulty: false })
    const context = yield* Layer.build(storeLayer(description))
    const measure = (revalidate: "caller" | "background") =>
      Effect.gen(function* () {
        let failed = 0
        let answered = 0
        let hungUp = 0
        let oldest = 0
        let reason = ""
        const page = cached((_key: number) => query, {
          key: `requests-${revalidate}`,
          ttl,
          stale: staleOf[revalidate],
          revalidate
        })
        const request = (index: number) =>
          Effect.gen(function* () {
            yield* Effect.sleep(index / 2)
            const begin = stamp()
            const running = yield* Effect.fork(
              Effect.scoped(Effect.provideServiceEffect(page(index % keys), RequestConnection, connected))
            )
            const hangsUp = index % 3 === 0
            if (hangsUp) {
              yield* Effect.sleep(Math.random() * lasting)
              yield* Fiber.interrupt(running)
              hungUp++
              return
            }
            const exit = yield* Fiber.await(running)
            if (Exit.isSuccess(exit)) {
              answered++
              oldest = Math.max(oldest, begin - exit.value)
            } else {
              failed++
              reason ||= ` (${String(exit.cause)})`
            }
          })
        yield* Effect.forEach(
          Array.from({ length: requests }, (_, index) => index),
          request,
          { concurrency: "unbounded", discard: true }
        )
        const row: Row = {
          what: `${count(requests)} requests with a connection of their own, revalidate: "${revalidate}", ${count(hungUp)} hang up: requests that met a closed connection`,
          store: storeTitles[store],
          measured: `${failed} of ${count(answered + failed)}${reason}; the oldest value was ${oldest.toFixed(0)} ms old (ttl ${ttl} ms)`,
          kept: failed === 0 && oldest < staleOf[revalidate] / 2 + 500
        }
        return row
      }).pipe(Effect.provide(context))
    return [yield* measure("caller"), yield* measure("background")]
  })
