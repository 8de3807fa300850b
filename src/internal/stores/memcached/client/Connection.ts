/**
 * memjs's `Server` with its socket half replaced. Left as it is, it waits for ever when the server closes the socket,
 * reads the rest of a cut answer as the beginning of the next one, takes the close of an old socket for that of the new
 * one, and goes to the kernel once a request.
 *
 * A connection is `connecting`, `ready` or `down`. Calls wait while it connects; when it breaks, it connects again at
 * once; when that fails, or breaks again before anything was answered, it is down, refuses calls without delay, and
 * tries again every `retryDelay`. So each server has a circuit breaker of its own, and the one in front of the store is
 * left what concerns them all.
 *
 * @since 0.1.0
 */
import { connect, type Socket } from "node:net"
import { Effect, Redacted } from "effect"
import { Server } from "memjs"
import { breakerGauge } from "../../../outages/breakerGauge.js"
import { CircuitOpen, PartialOutage } from "../../../outages/outage.js"
import { type Call, Opaques, Problem, problemOf } from "../commands/Command.js"
import { GenerationCall } from "../generation/GenerationCommand.js"
import type { Generations } from "../generation/Generations.js"
import { type Answer, AnswerReader } from "./AnswerReader.js"
import { endOfBatch, handshakeRequest } from "./handshake.js"
import { Batch } from "./Pipeline.js"
import { Opcode, Status } from "./protocol.js"
import type { ServerAddress } from "./Servers.js"
import { Watchdog } from "./Watchdog.js"

export interface ConnectionSettings {
  /** Milliseconds until an unanswered call has failed. */
  readonly timeout: number
  /** Milliseconds until an attempt to connect has failed. */
  readonly connectTimeout: number
  /** Milliseconds between two attempts to reach a server that is down. */
  readonly retryDelay: number
  readonly username: string | undefined
  readonly password: Redacted.Redacted | undefined
}

/** What a connection needs of its pool. */
export interface Surroundings {
  /** memjs's `perform`: registers for the answer with the request number and sends the request. */
  readonly perform: (label: string, request: Buffer, opaque: number, done: (error: Error | null) => void) => void
  readonly log: (level: "Debug" | "Info" | "Warning", message: string) => void
  readonly wentDown: (server: Connection) => void
  /** Whether another server of the pool answers. */
  readonly othersAnswer: (server: Connection) => boolean
}

const keepAliveDelay = 30_000
/** The bytes that a socket reads at most at a time. */
const chunkLength = 65_536
/** A store's name in logs and metrics. */
export const storeName = "memcached"

const isAwaited = (call: Call): boolean => !call.abandoned

export class Connection extends Server {
  /** Why calls are refused, while they are. */
  refusal: Problem | undefined
  /** What stood here before is not to be read: the generation is renewed before the connection is ready again. */
  owesGeneration = false
  /** Numbers the requests. */
  opaques = new Opaques(1)
  private phase: "connecting" | "ready" | "down" | "closed" = "connecting"
  private line: Socket | undefined
  private reader: AnswerReader | undefined
  private readonly queue: Array<Call> = []
  private readonly inFlight: Array<Batch> = []
  private flushing = false
  private queueDeadline = Number.POSITIVE_INFINITY
  private connectDeadline = Number.POSITIVE_INFINITY
  private openedAt = 0
  private retry: NodeJS.Timeout | undefined
  /** How often it broke under calls since it last answered one. */
  private breaks = 0
  private readonly openBreakers: ReturnType<typeof breakerGauge>
  private readonly watchdog = new Watchdog(
    () => Math.min(this.inFlight[0]?.deadline ?? Number.POSITIVE_INFINITY, this.queueDeadline, this.connectDeadline),
    (now) => this.overdue(now)
  )

  constructor(
    readonly index: number,
    readonly address: ServerAddress,
    readonly generations: Generations,
    private readonly settings: ConnectionSettings,
    private readonly surroundings: Surroundings
  ) {
    super(address.host, address.port)
    // memjs would otherwise send what it finds in the environment to any server, without being told to.
    Object.assign(this, { username: undefined, password: undefined })
    this.openBreakers = breakerGauge({ store: storeName, server: address.label })
    this.open()
  }

  /** Whether calls are sent at once; that the server still answers them is only assumed. */
  get isReady(): boolean {
    return this.phase === "ready"
  }

  /**
   * Sends the call together with all others of this moment, or fails it at once. The answer, if any, is how to give up
   * on a call that waits for a connection. A call about to be sent needs none, and costs less without: its answer comes
   * or its time passes, and a fiber that does not wait any more takes no notice.
   */
  ask(call: Call): Effect.Effect<void> | undefined {
    if (this.refusal !== undefined) {
      call.fail(this.refusal)
      return undefined
    }
    this.queue.push(call)
    if (this.phase === "ready") {
      this.flushSoon()
      return undefined
    }
    if (this.queue.length === 1) this.startQueue()
    return Effect.sync(() => {
      call.abandoned = true
    })
  }

  private startQueue(): void {
    this.queueDeadline = performance.now() + this.settings.timeout
    this.watchdog.watch()
  }

  private flushSoon(): void {
    if (this.flushing) return
    this.flushing = true
    queueMicrotask(this.flush)
  }

  private readonly flush = (): void => {
    this.flushing = false
    if (this.phase !== "ready") return
    const calls = this.takeQueue()
    if (calls.length > 0) this.send(calls)
  }

  private send(calls: ReadonlyArray<Call>): void {
    const batch = new Batch(calls, this.index, this.generations)
    const request = batch.encode(this.opaques)
    batch.deadline = performance.now() + this.settings.timeout
    this.inFlight.push(batch)
    this.surroundings.perform(this.address.label, request, batch.last, (error) => {
      if (error === null) batch.settle()
      else batch.fail(error instanceof Problem ? error : new Problem("Unavailable", error.message, { cause: error }))
    })
  }

  override write(request: Buffer): void {
    this.line?.write(request)
    this.watchdog.watch()
  }

  override writeSASL(request: Buffer): void {
    this.line?.write(request)
  }

  private open(): void {
    const line: Socket = connect({
      host: this.address.host,
      port: this.address.port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAliveDelay,
      // past the stream, whose detour and 64 KB a chunk would cost an answer more than reading it
      onread: {
        buffer: Buffer.allocUnsafeSlow(chunkLength),
        callback: (length, chunk) => this.received(line, chunk, length)
      }
    })
    this.line = line
    this.reader = new AnswerReader((answer) => this.answered(answer))
    this.openedAt = performance.now()
    this.connectDeadline = this.openedAt + this.settings.connectTimeout
    this.watchdog.watch()
    const current = (act: () => void) => () => this.line === line && act()
    line.on(
      "connect",
      current(() => this.introduce())
    )
    line.on("error", (cause) => this.line === line && this.error(new Problem("Unavailable", cause.message, { cause })))
    line.on(
      "close",
      current(() => this.error(new Problem("Unavailable", "the server closed the connection")))
    )
  }

  /** A server that takes connections may still be dead: it is ready when it has answered once. */
  private introduce(): void {
    const { password, timeout, username } = this.settings
    // Calls would wait for this server in vain.
    this.connectDeadline = Math.min(this.connectDeadline, performance.now() + timeout)
    this.watchdog.watch()
    if (username === undefined || password === undefined) {
      this.writeSASL(handshakeRequest)
    } else {
      Object.assign(this, { username, password: Redacted.value(password) })
      this.saslAuth()
      Object.assign(this, { username: undefined, password: undefined })
    }
  }

  /** Tells the socket to go on reading. */
  private received(line: Socket, chunk: Uint8Array, length: number): boolean {
    try {
      // the buffer that the socket was given
      if (this.line === line) this.reader?.push(chunk as Buffer, length)
    } catch (cause) {
      this.error(new Problem("Unavailable", cause instanceof Error ? cause.message : String(cause), { cause }))
    }
    return true
  }

  private answered(answer: Answer): void {
    if (answer.opcode === Opcode.noop || answer.opcode === Opcode.authenticate) {
      this.introduced(answer)
      return
    }
    const batch = this.inFlight[0]
    if (batch === undefined || !batch.answer(answer)) throw new Error("the server answered what was not asked")
    if (answer.opaque !== batch.last) return
    this.inFlight.shift()
    this.breaks = 0
    this.respond(endOfBatch(batch.last))
  }

  private introduced(answer: Answer): void {
    if (answer.status !== Status.success) this.error(problemOf(answer))
    else if (this.owesGeneration) this.renewGeneration()
    else this.becomeReady()
  }

  private renewGeneration(): void {
    const key = this.generations.key(this.index)
    const listener = {
      done: () => this.becomeReady(),
      failed: (problem: Problem) => this.line !== undefined && this.error(problem)
    }
    this.send([new GenerationCall(this.index, "renew", key, listener)])
  }

  private becomeReady(): void {
    if (this.refusal !== undefined) {
      this.surroundings.log("Info", `${this.address.label} answers again`)
      this.openBreakers.unsafeModify(-1, [])
    }
    this.phase = "ready"
    this.refusal = undefined
    this.owesGeneration = false
    this.connectDeadline = Number.POSITIVE_INFINITY
    this.flush()
  }

  private overdue(now: number): void {
    const silent = `no answer within ${this.settings.timeout} ms`
    if (this.queueDeadline <= now) this.failQueue(this.blame(new Problem("Unavailable", "no connection yet")))
    if ((this.inFlight[0]?.deadline ?? Number.POSITIVE_INFINITY) <= now) this.error(new Problem("Timeout", silent))
    else if (this.connectDeadline <= now) this.error(new Problem("Timeout", "the server takes too long to connect"))
  }

  /** The connection is of no use any more: every call on it fails, and another one takes its place. */
  override error(problem: Error): void {
    if (this.phase === "closed") return
    const wasReady = this.phase === "ready"
    if (wasReady && this.inFlight.length > 0) this.breaks += 1
    const isGivenUp = !wasReady || this.breaks > 1
    this.hangUp()
    if (wasReady) this.phase = "connecting"
    // Fails the batches in flight, through memjs's table of callbacks.
    super.error(this.blame(problem))
    if (isGivenUp) {
      this.goDown(problem)
    } else {
      this.surroundings.log("Debug", `${this.address.label}: ${problem.message}; connecting again`)
      if (this.queue.length > 0) this.startQueue()
      this.open()
    }
  }

  /** Says in the cause where a problem is this server's alone. */
  private blame(problem: Error): Problem {
    const reason = problem instanceof Problem ? problem.reason : "Unavailable"
    const cause = problem instanceof Problem ? problem.cause : problem
    return this.surroundings.othersAnswer(this)
      ? new Problem(reason, problem.message, { cause: new PartialOutage({ store: storeName, cause }) })
      : new Problem(reason, problem.message, { cause })
  }

  private goDown(problem: Error): void {
    if (this.refusal === undefined) {
      const message = `${this.address.label} is down: ${problem.message}`
      this.surroundings.log("Warning", message)
      this.openBreakers.unsafeModify(1, [])
      this.refusal = new Problem("Unavailable", message, {
        cause: new CircuitOpen({ store: storeName, cause: problem })
      })
      this.phase = "down"
      this.surroundings.wentDown(this)
    }
    this.failQueue(this.refusal)
    const sinceOpened = performance.now() - this.openedAt
    this.retry = setTimeout(() => this.open(), Math.max(0, this.settings.retryDelay - sinceOpened)).unref()
  }

  private failQueue(problem: Problem): void {
    for (const call of this.takeQueue()) call.fail(problem)
  }

  private takeQueue(): ReadonlyArray<Call> {
    const calls = this.queue.filter(isAwaited)
    // not a new one: V8 comes to keep arrays made here for long, and with them the calls that they still hold
    this.queue.length = 0
    this.queueDeadline = Number.POSITIVE_INFINITY
    return calls
  }

  private hangUp(): void {
    const line = this.line
    this.line = undefined
    line?.destroy()
    this.reader?.stop()
    this.inFlight.length = 0
    this.connectDeadline = Number.POSITIVE_INFINITY
  }

  override close(): void {
    if (this.phase === "closed") return
    if (this.refusal !== undefined) this.openBreakers.unsafeModify(-1, [])
    this.phase = "closed"
    this.refusal = new Problem("Unavailable", "the connection is closed")
    clearTimeout(this.retry)
    this.watchdog.stop()
    this.hangUp()
    super.error(this.refusal)
    this.failQueue(this.refusal)
  }
}
