/** What only the tests ask memcached: in the text protocol, on a connection of their own. */
import { connect } from "node:net"
import { Effect } from "effect"

/** Sends one command and returns the lines of the answer, without the last line, which ends it. */
const ask = (port: number, command: string, last: RegExp): Effect.Effect<ReadonlyArray<string>, Error> =>
  Effect.async<ReadonlyArray<string>, Error>((resume) => {
    let answer = ""
    const socket = connect(port, "127.0.0.1", () => socket.write(`${command}\r\n`))
    socket.setEncoding("latin1")
    socket.on("data", (chunk) => {
      answer += chunk
      const lines = answer.split("\r\n").flatMap((line) => line.split("\n"))
      const end = lines.findIndex((line) => last.test(line))
      if (end < 0) return
      socket.destroy()
      resume(Effect.succeed(lines.slice(0, end)))
    })
    socket.on("error", (error) => resume(Effect.fail(error)))
    return Effect.sync(() => socket.destroy())
  })

export interface Item {
  readonly key: string
  /** Seconds since 1970, -1 for ever. */
  readonly expires: number
}

/** All items, also expired ones that memcached has not removed yet. */
export const items = (port: number): Effect.Effect<ReadonlyArray<Item>, Error> =>
  Effect.map(ask(port, "lru_crawler metadump all", /^(END|BUSY.*|ERROR.*)$/), (lines) =>
    lines.flatMap((line) => {
      const [, key, expires] = /^key=(\S+) exp=(-?\d+) /.exec(line) ?? []
      return key === undefined ? [] : [{ key: decodeURIComponent(key), expires: Number(expires) }]
    })
  )

export const deleteItem = (port: number, key: string): Effect.Effect<void, Error> =>
  Effect.asVoid(ask(port, `delete ${key}`, /^(DELETED|NOT_FOUND)/))

export const statistic = (port: number, name: string): Effect.Effect<number, Error> =>
  Effect.map(ask(port, "stats", /^END$/), (lines) =>
    Number(lines.find((line) => line.startsWith(`STAT ${name} `))?.split(" ")[2])
  )
