/** One connection to memcached in the text protocol, for records that no client of the cache would write. */
import { connect } from "node:net"
import { Effect, type Scope } from "effect"

export interface Session {
  readonly get: (key: string) => Effect.Effect<Buffer | undefined, Error>
  /** @param expires seconds */
  readonly set: (key: string, bytes: Buffer, expires: number) => Effect.Effect<void, Error>
}

const crlf = Buffer.from("\r\n")

export const session = (address: string): Effect.Effect<Session, Error, Scope.Scope> =>
  Effect.gen(function* () {
    const [host = "", port = ""] = address.split(":")
    const socket = yield* Effect.acquireRelease(
      Effect.async<ReturnType<typeof connect>, Error>((resume) => {
        const opened = connect(Number(port), host, () => resume(Effect.succeed(opened)))
        opened.once("error", (error) => resume(Effect.fail(error)))
      }),
      (opened) => Effect.sync(() => opened.destroy())
    )
    let received = Buffer.alloc(0)
    let onData = () => {}
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk])
      onData()
    })
    socket.on("error", () => {})
    const turn = yield* Effect.makeSemaphore(1)

    /** Sends the command; `read` returns the answer once all of it is there. */
    const ask = <A>(
      command: Buffer,
      read: (received: Buffer) => { readonly answer: A; readonly length: number } | undefined
    ) =>
      Effect.async<A, Error>((resume) => {
        onData = () => {
          const found = read(received)
          if (found === undefined) return
          received = received.subarray(found.length)
          onData = () => {}
          resume(Effect.succeed(found.answer))
        }
        socket.write(command)
      }).pipe(Effect.uninterruptible, turn.withPermits(1))

    const line = (from: Buffer) => {
      const end = from.indexOf(crlf)
      return end < 0 ? undefined : { text: from.subarray(0, end).toString("latin1"), length: end + 2 }
    }

    return {
      get: (key) =>
        ask(Buffer.from(`get ${key}\r\n`), (from) => {
          const first = line(from)
          if (first === undefined) return undefined
          if (!first.text.startsWith("VALUE ")) return { answer: undefined, length: first.length }
          const size = Number(first.text.split(" ")[3])
          const length = first.length + size + 2 + "END\r\n".length
          if (from.length < length) return undefined
          return { answer: Buffer.from(from.subarray(first.length, first.length + size)), length }
        }),
      set: (key, bytes, expires) =>
        Effect.asVoid(
          ask(Buffer.concat([Buffer.from(`set ${key} 0 ${expires} ${bytes.length}\r\n`), bytes, crlf]), (from) => {
            const first = line(from)
            return first === undefined ? undefined : { answer: first.text, length: first.length }
          })
        )
    }
  })
