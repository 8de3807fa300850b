/** Real Redis processes for tests, demo and benchmarks. */
import { mkdtempSync, rmSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Schedule, type Scope } from "effect"
import { inRealTime, type Process, type Program, prepare as prepareProgram, server } from "./program.js"

import type { Certificate } from "./tls.js"

const program: Program = {
  name: "redis-server",
  debianPackage: "redis-server",
  otherwise: "name a running one in REDIS_URL=redis://… (tests that end their servers need the program all the same)"
}

export const prepare = prepareProgram(program)

export interface RedisServer extends Process {
  readonly url: string
  /** Sends one command on a connection of its own, and returns the answer as the protocol has it. */
  readonly ask: (...command: ReadonlyArray<string>) => Effect.Effect<string, Error>
}

/** Neither files nor snapshots. */
const inMemory = ["--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--loglevel", "warning"]

const encode = (command: ReadonlyArray<string>): string =>
  `*${command.length}\r\n${command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join("")}`

/** The connection is closed after the answer, which ends with it. */
const askPort = (port: number, ...command: ReadonlyArray<string>): Effect.Effect<string, Error> =>
  Effect.async<string, Error>((resume) => {
    let answer = ""
    const socket = connect(port, "127.0.0.1", () => socket.write(encode(command) + encode(["QUIT"])))
    socket.setEncoding("latin1")
    socket.on("data", (chunk) => {
      answer += chunk
    })
    socket.on("error", (error) => resume(Effect.fail(error)))
    socket.on("close", () => resume(Effect.succeed(answer.replace(/\+OK\r\n$/, "").trimEnd())))
    return Effect.sync(() => socket.destroy())
  })

/** A folder for what a server writes down all the same: a replica its copy, the servers of a cluster who belongs to it. */
const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-cached-redis-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const started = (args: ReadonlyArray<string>): Effect.Effect<RedisServer, Error, Scope.Scope> =>
  Effect.flatMap(folder, (files) =>
    Effect.map(
      server(program, (port) => ["--port", `${port}`, "--dir", files, ...inMemory, ...args]),
      (process) => ({
        ...process,
        url: `redis://${process.address}`,
        ask: (...command) => askPort(process.port, ...command)
      })
    )
  )

/** A Redis of one's own on a free port. */
export const redis = (args: ReadonlyArray<string> = []): Effect.Effect<RedisServer, Error, Scope.Scope> => started(args)

/** The `url` option for tests that need no control over the process. */
export const redisUrl: Effect.Effect<string, Error, Scope.Scope> = Effect.suspend(() => {
  const given = process.env["REDIS_URL"] ?? ""
  return given === "" ? Effect.map(redis(), ({ url }) => url) : Effect.succeed(given)
})

/** A Redis that speaks TLS, and nothing else. */
export const redisWithTls = (
  { certPath, keyPath }: Certificate,
  /** Who vouches for clients, if they must show a certificate. */
  clients: { readonly caPath: string } | undefined = undefined
): Effect.Effect<Process, Error, Scope.Scope> =>
  Effect.flatMap(folder, (files) =>
    server(program, (port) => [
      ...["--port", "0", "--tls-port", `${port}`, "--dir", files, ...inMemory],
      ...["--tls-cert-file", certPath, "--tls-key-file", keyPath],
      ...(clients === undefined ? ["--tls-auth-clients", "no"] : ["--tls-ca-cert-file", clients.caPath])
    ])
  )

const slots = 16_384

/** A cluster of three servers without replicas. */
export const redisCluster: Effect.Effect<ReadonlyArray<RedisServer>, Error, Scope.Scope> = Effect.gen(function* () {
  const flags = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]
  const members = yield* Effect.forEach(
    [0, 1, 2],
    (number) => started([...flags, "--cluster-config-file", `nodes-${number}.conf`]),
    { concurrency: "unbounded" }
  )
  const [first] = members
  if (first === undefined) return members
  for (const [index, member] of members.entries()) {
    const from = Math.floor((slots * index) / members.length)
    const to = Math.floor((slots * (index + 1)) / members.length) - 1
    yield* member.ask("CLUSTER", "ADDSLOTSRANGE", `${from}`, `${to}`)
    if (member !== first) yield* member.ask("CLUSTER", "MEET", first.host, `${first.port}`)
  }
  yield* Effect.forEach(members, (member) =>
    Effect.flatMap(member.ask("CLUSTER", "INFO"), (info) =>
      info.includes("cluster_state:ok") ? Effect.void : Effect.fail(new Error(info))
    ).pipe(Effect.retry(Schedule.spaced("50 millis").pipe(Schedule.upTo("20 seconds"))), inRealTime)
  )
  return members
})
