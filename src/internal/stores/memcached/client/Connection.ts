/**
 * One server of the pool: sends the commands of a moment as one pipeline, connects again after a break, and knows whether the
 * server is down.
 *
 * A connection is `connecting`, `ready` or `down`. Commands wait while it connects. When it breaks, it connects again at once.
 * When that fails, or it breaks again before anything was answered, the server is down: commands are refused without delay, and
 * the connection tries again every `retryDelay`. So each server has a circuit breaker of its own, and the breaker in front of the
 * store is left with what concerns all servers.
 */
import { Effect } from "effect"
import { PartialOutage } from "../../../outages/outage.js"
import { IdleTime } from "../../../runtime/IdleTime.js"
import { Watchdog } from "../../../runtime/Watchdog.js"
import { breakerGauge } from "../../../telemetry/metrics.js"
import type { Command, Listener } from "../commands/Command.js"
import { GenerationCommand } from "../commands/GenerationCommand.js"
import { Problem, problemOf, withoutCas } from "../commands/Problem.js"
import type { Generations } from "../generation.js"
import type { Answer } from "../protocol/AnswerReader.js"
import { Status } from "../protocol/constants.js"
import { greeting, login } from "../protocol/handshake.js"
import { Opaques } from "../protocol/request.js"
import { type Attempt, explained, whatIsMissing } from "./attempt.js"
import { Pipeline } from "./Pipeline.js"
import type { ConnectionSettings } from "./PoolSettings.js"
import { Refusal, storeName } from "./Refusal.js"
import type { ServerAddress } from "./Servers.js"
import { Transport } from "./Transport.js"

export type LogLevel = "Debug" | "Info" | "Warning"

/** What a connection tells its pool, and asks it. */
export interface Surroundings {
  readonly log: (level: LogLevel, message: string) => void
  readonly wentDown: (server: Connection) => void
  /** Whether another server of the pool answers. */
  readonly othersAnswer: (server: Connection) => boolean
}

const never = Number.POSITIVE_INFINITY

/** Bytes of a pipeline. With more in one, its time-out would measure how much was asked at once. */
const longestPipeline = 65_536
/** Bytes of requests that wait for their answers. Further commands wait in the queue until some are answered. */
const mostUnanswered = 8 * longestPipeline

export class Connection {
  /** Why commands are refused, while they are. */
  refusal: Problem | undefined
  /** What the server has from before is not to be read: its generation is renewed before the connection is ready again. */
  mustRenew = false
  opaques = new Opaques(1)
  private phase: "connecting" | "ready" | "down" | "closed" = "connecting"
  /** How far an attempt to connect has come, for the error that says what is missing. */
  private attempt: Attempt = "opening"
  private transport: Transport | undefined
  private readonly queue: Array<Command<unknown>> = []
  private readonly inFlight: Array<Pipeline> = []
  /** Bytes of the requests in flight. */
  private unanswered = 0
  private isFlushing = false
  private readonly idle = new IdleTime()
  private queueDeadline = never
  private connectDeadline = never
  private openedAt = 0
  private retry: NodeJS.Timeout | undefined
  /** How often it broke under commands since it last answered one. */
  private breaks = 0
  private readonly openBreakers: ReturnType<typeof breakerGauge>
  private readonly watchdog = new Watchdog(
    () => Math.min(this.inFlight[0]?.deadline ?? never, this.queueDeadline, this.connectDeadline),
    () => this.transport?.heard ?? 0,
    (now) => this.overdue(now)
  )
  /** Who waits for the end of the first attempt to connect. */
  private onSettled: (() => void) | undefined

  constructor(
    readonly index: number,
    readonly address: ServerAddress,
    readonly generations: Generations,
    private readonly settings: ConnectionSettings,
    private readonly surroundings: Surroundings
  ) {
    this.openBreakers = breakerGauge({ store: storeName, server: address.label })
    this.open()
  }

  /** Whether commands are sent at once. That the server still answers them is only assumed. */
  get isReady(): boolean {
    return this.phase === "ready"
  }

  /**
   * Sends the command together with all others of this moment, or fails it at once. While there is no connection, or nobody knows
   * whether there still is one, it returns how to abandon the command. A command that is sent needs no such way, and costs less
   * without: its answer comes or its time passes, and a fiber that does not wait any more takes no notice.
   */
  ask<Result>(command: Command<Result>, listener: Listener<Result>): Effect.Effect<void> | undefined {
    command.listen(listener)
    if (this.refusal !== undefined) {
      command.fail(this.refusal)
      return undefined
    }
    this.queue.push(command)
    if (this.phase === "ready") {
      this.flushSoon()
      if (!this.idle.isReading) return undefined
    } else if (this.queue.length === 1) this.startQueue()
    return Effect.sync(() => command.abandon())
  }

  /** Calls back once the server is known to answer or to be down. */
  whenSettled(settled: () => void): void {
    if (this.phase === "connecting") this.onSettled = settled
    else settled()
  }

  close(): void {
    if (this.phase === "closed") return
    if (this.refusal !== undefined) this.openBreakers.unsafeModify(-1, [])
    this.phase = "closed"
    this.refusal = new Problem("Unavailable", "the connection is closed")
    clearTimeout(this.retry)
    this.watchdog.stop()
    this.hangUp(this.refusal)
    this.failQueue(this.refusal)
  }

  private startQueue(): void {
    this.queueDeadline = this.watchdog.now() + this.settings.timeout
    this.watchdog.watch()
  }

  private flushSoon(): void {
    if (this.isFlushing) return
    this.isFlushing = true
    this.idle.whenRead(this.flushAfterThis)
  }

  private readonly flushAfterThis = (): void => queueMicrotask(this.flush)

  private readonly flush = (): void => {
    this.isFlushing = false
    while (this.phase === "ready" && this.queue.length > 0 && this.unanswered < mostUnanswered) {
      const commands = this.takeQueue(longestPipeline)
      if (commands.length > 0) this.send(commands)
    }
  }

  private send(commands: ReadonlyArray<Command<unknown>>): void {
    const pipeline = new Pipeline(commands, this.index, this.generations)
    const request = pipeline.encode(this.opaques)
    pipeline.deadline = this.watchdog.now() + this.settings.timeout
    this.unanswered += pipeline.length
    this.inFlight.push(pipeline)
    this.transport?.write(request)
    this.watchdog.watch()
  }

  private open(): void {
    this.openedAt = performance.now()
    this.attempt = "opening"
    this.connectDeadline = this.watchdog.now() + this.settings.connectTimeout
    this.watchdog.watch()
    this.transport = new Transport(this.address, this.settings.tls, {
      opened: () => this.introduce(),
      answered: (answer) => this.answered(answer),
      broke: (problem) => this.broke(problem)
    })
  }

  private introduce(): void {
    const { connectTimeout, credentials, timeout } = this.settings
    this.attempt = "greeting"
    // From now on it is an answer that is waited for, and commands wait for a silent server in vain.
    this.connectDeadline = this.watchdog.now() + Math.min(connectTimeout, timeout)
    this.watchdog.watch()
    this.transport?.write(credentials === undefined ? greeting : login(credentials.username, credentials.password))
  }

  private answered(answer: Answer): void {
    if (answer.isHandshake) {
      // The transport wakes a server by a further greeting.
      if (this.attempt !== "greeting") return
      if (answer.status !== Status.success) this.broke(problemOf(answer))
      else this.establishGeneration()
      return
    }
    const pipeline = this.inFlight[0]
    if (pipeline === undefined || !pipeline.answer(answer)) throw new Error("the server answered what was not asked")
    if (!pipeline.endsWith(answer)) return
    // It is the generation's record, which is there once the connection is ready: so the first such answer tells.
    if (answer.hasNoCas) {
      this.broke(withoutCas())
      return
    }
    this.inFlight.shift()
    this.unanswered -= pipeline.length
    this.breaks = 0
    pipeline.settle()
    if (this.queue.length > 0) this.flush()
  }

  /**
   * The last step of an attempt: makes sure of the generation's record, whose answer shows whether the server has compare-and-set.
   */
  private establishGeneration(): void {
    this.attempt = "greeted"
    this.connectDeadline = never
    const { mustRenew } = this
    const command = new GenerationCommand(this.index, mustRenew ? "renew" : "ensure", this.generations.key(this.index))
    command.listen({
      done: () => this.becomeReady(),
      failed: (problem) => {
        // Without a transport the connection broke, and knows.
        if (this.transport === undefined) return
        if (mustRenew) this.broke(problem)
        // A server without room for the record can still be read, and asked to remove.
        else this.becomeReady()
      }
    })
    this.send([command])
  }

  private becomeReady(): void {
    if (this.refusal !== undefined) {
      this.surroundings.log("Info", `${this.address.label} answers again`)
      this.openBreakers.unsafeModify(-1, [])
    }
    this.phase = "ready"
    this.refusal = undefined
    this.mustRenew = false
    this.connectDeadline = never
    this.settled()
    this.flush()
  }

  private settled(): void {
    const { onSettled } = this
    this.onSettled = undefined
    onSettled?.()
  }

  private overdue(now: number): void {
    if (this.queueDeadline <= now) this.failQueue(this.markPartial(new Problem("Unavailable", "no connection yet")))
    if ((this.inFlight[0]?.deadline ?? never) <= now) {
      this.broke(new Problem("Timeout", `no answer within ${this.settings.timeout} ms`))
    } else if (this.connectDeadline <= now) {
      this.broke(new Problem("Timeout", whatIsMissing(this.attempt, this.settings)))
    }
  }

  /** The connection is of no use any more. Every command on it fails, and another connection takes its place. */
  private broke(reported: Problem): void {
    if (this.phase === "closed") return
    const problem = explained(reported, this.attempt, this.settings)
    const wasReady = this.phase === "ready"
    if (wasReady && this.inFlight.length > 0) this.breaks += 1
    const isGivenUp = !wasReady || this.breaks > 1
    if (wasReady) this.phase = "connecting"
    this.hangUp(this.markPartial(problem))
    if (isGivenUp) {
      this.goDown(problem)
    } else {
      this.surroundings.log("Debug", `${this.address.label}: ${problem.message}; connecting again`)
      if (this.queue.length > 0) this.startQueue()
      this.open()
    }
  }

  /** Notes in the cause that other servers of the pool answer. */
  private markPartial({ cause, message, reason }: Problem): Problem {
    return this.surroundings.othersAnswer(this)
      ? new Problem(reason, message, { cause: new PartialOutage({ store: storeName, cause }) })
      : new Problem(reason, message, { cause })
  }

  private goDown(problem: Problem): void {
    const message = `${this.address.label} is down: ${problem.message}`
    const wasUp = this.refusal === undefined
    this.surroundings.log("Warning", message)
    // Made once for all commands that it refuses. After a restart there may be another reason.
    if (this.refusal?.message !== message) this.refusal = new Refusal(message, problem)
    this.phase = "down"
    if (wasUp) {
      this.openBreakers.unsafeModify(1, [])
      this.surroundings.wentDown(this)
    }
    this.settled()
    this.failQueue(this.refusal)
    const sinceOpened = performance.now() - this.openedAt
    this.retry = setTimeout(() => this.open(), Math.max(0, this.settings.retryDelay - sinceOpened)).unref()
  }

  private failQueue(problem: Problem): void {
    for (const command of this.takeQueue(never)) command.fail(problem)
  }

  /** Takes commands from the front, until they have so many bytes. */
  private takeQueue(bytes: number): ReadonlyArray<Command<unknown>> {
    const commands: Array<Command<unknown>> = []
    let taken = 0
    for (let length = 0; taken < this.queue.length && length < bytes; taken++) {
      const command = this.queue[taken]
      if (command === undefined || command.isAbandoned) continue
      commands.push(command)
      length += command.length
    }
    // Emptied, not replaced: V8 keeps arrays that are made here for long, and with them the commands that they still hold.
    if (taken === this.queue.length) this.queue.length = 0
    else this.queue.splice(0, taken)
    this.queueDeadline = never
    return commands
  }

  private hangUp(problem: Problem): void {
    this.transport?.close()
    this.transport = undefined
    this.connectDeadline = never
    this.unanswered = 0
    for (const pipeline of this.inFlight.splice(0)) pipeline.fail(problem)
  }
}
