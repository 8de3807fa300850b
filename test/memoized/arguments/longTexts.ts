/** A program that calls a memoized function with long texts, or with pieces of them, and says how far the heap has grown. */
import { Buffer } from "node:buffer"
import { Effect, Option } from "effect"
import { cached, MemoryBackend, StoreBackend } from "effect-cached"

declare const gc: () => void

const calls = Number(process.argv[2])

/** A new text of 50,000 characters, no two alike. */
const text = (n: number): string => {
  const bytes = Buffer.alloc(50_000, "x")
  bytes.write(`text ${n} `.padEnd(40, "y"))
  return bytes.toString()
}

/** V8 does not copy a piece this long: it refers into the text. */
const piece = (n: number): string => text(n).slice(0, 40)

const stores = {
  memory: MemoryBackend.layer({ maxEntries: 10_000, maxBytes: 10_000_000 }),
  copying: MemoryBackend.layer({ maxEntries: 10_000, maxBytes: 10_000_000, copy: true }),
  /** A server's, as far as memory is concerned: it keeps nothing in this process. */
  server: StoreBackend.layer(
    Effect.succeed({
      name: "server",
      location: "network",
      payloads: "bytes",
      read: (keys) => Effect.succeed(keys.map(() => undefined)),
      write: () => Effect.succeed([]),
      add: () => Effect.succeedSome(0),
      replace: () => Effect.succeed(Option.some(0)),
      remove: () => Effect.succeed(0),
      clear: Effect.void
    })
  )
}

interface Use {
  readonly stores: ReadonlyArray<keyof typeof stores>
  readonly argument: (n: number) => unknown
  readonly options?: object
}

const uses: Record<string, Use> = {
  texts: { stores: ["memory", "server"], argument: text },
  "texts in objects": { stores: ["memory"], argument: (n) => ({ text: text(n) }) },
  "texts that keyArgs picks": { stores: ["memory"], argument: text, options: { keyArgs: (picked: string) => picked } },
  pieces: { stores: ["memory", "copying", "server"], argument: piece },
  "pieces in groups": {
    stores: ["memory", "server"],
    argument: piece,
    options: { groups: (of: string) => [`group of ${of}`] }
  },
  "pieces of 200 characters": { stores: ["memory", "server"], argument: (n) => text(n).slice(0, 200) }
}

const heap = (): number => {
  gc()
  return process.memoryUsage().heapUsed
}

const growth = ({ argument, options }: Use) =>
  Effect.gen(function* () {
    const f = cached((_: unknown) => Effect.succeed(1), { key: "f", ttl: "1 hour", ...options })
    yield* f("first")
    const before = heap()
    for (let n = 0; n < calls; n++) {
      const given = argument(n)
      yield* f(given)
      yield* f(given)
    }
    const grown = heap() - before
    // Here the function is in use still.
    yield* f("last")
    return grown
  })

const all = Effect.forEach(Object.entries(uses), ([use, told]) =>
  Effect.forEach(told.stores, (store) =>
    Effect.map(Effect.provide(growth(told), stores[store]), (grown) =>
      process.stdout.write(`${JSON.stringify({ store, use, megabytes: Math.round(grown / 1e6) })}\n`)
    )
  )
)

Effect.runFork(all)
