/**
 * Sends commands, each of which is answered or fails in time. Where the server has answered nothing for so long, the connection is
 * made anew: one that the network has forgotten would never say so.
 */
import { Effect } from "effect"
import { CacheError } from "../../../CacheError.js"
import { IdleTime } from "../../runtime/IdleTime.js"
import { Watchdog } from "../../runtime/Watchdog.js"
import type { OwnClient } from "./client.js"
import { cacheError, type Operation } from "./errors.js"

/** A class: V8 may put literals into old space. */
class Waiting {
  constructor(
    readonly deadline: number,
    /** How many answers had come when it was sent. */
    readonly heardBefore: number,
    readonly timedOut: () => void
  ) {}
}

export class Commands {
  /** In the order of their deadlines: all have the same time. */
  private readonly waiting = new Set<Waiting>()
  private heard = 0
  private readonly idle = new IdleTime()
  private readonly watchdog = new Watchdog(
    () => this.first()?.deadline ?? Number.POSITIVE_INFINITY,
    () => this.heard,
    (now) => this.overdue(now)
  )

  /** @param timeout milliseconds */
  constructor(
    private readonly client: OwnClient,
    private readonly timeout: number
  ) {}

  /** Calls back once. Where the command must wait until it is sent, it returns how to abandon it. */
  ask(
    operation: Operation,
    serverOf: string,
    command: ReadonlyArray<string | Uint8Array>,
    onAnswer: (answer: unknown) => void,
    onFailure: (error: CacheError) => void,
    key?: string
  ): Effect.Effect<void> | undefined {
    const one = new Waiting(this.watchdog.now() + this.timeout, this.heard, () =>
      onFailure(
        new CacheError({
          reason: "Timeout",
          operation,
          key,
          description: `Redis did not answer within ${this.timeout} ms`
        })
      )
    )
    const failed = (cause: unknown) => {
      if (this.waiting.delete(one)) onFailure(cacheError(operation, cause, key))
    }
    this.waiting.add(one)
    this.watchdog.watch()
    let isSent = false
    const send = () => {
      // Its time is over, or its caller has left: what it was to write may be out of date.
      if (!this.waiting.has(one)) return
      isSent = true
      try {
        this.client.send(serverOf, command).then((answer) => {
          this.heard++
          if (this.waiting.delete(one)) onAnswer(answer)
        }, failed)
      } catch (cause) {
        // A client of the program may throw instead of rejecting.
        failed(cause)
      }
    }
    this.idle.whenRead(() => {
      if (this.client.waits?.(send) !== true) send()
    })
    if (isSent) return undefined
    return Effect.sync(() => {
      if (!isSent) this.waiting.delete(one)
    })
  }

  /**
   * The same as an Effect. Whoever is interrupted leaves: a command that is sent goes on, one that still waits is not sent, unless it
   * is an invalidation.
   */
  send(
    operation: Operation,
    serverOf: string,
    command: ReadonlyArray<string | Uint8Array>,
    key?: string
  ): Effect.Effect<unknown, CacheError> {
    return Effect.async((resume) => {
      const abandon = this.ask(
        operation,
        serverOf,
        command,
        (answer) => resume(Effect.succeed(answer)),
        (error) => resume(Effect.fail(error)),
        key
      )
      return operation === "remove" || operation === "clear" ? undefined : abandon
    })
  }

  close(): void {
    this.watchdog.stop()
  }

  private first(): Waiting | undefined {
    return this.waiting.values().next().value
  }

  private overdue(now: number): void {
    let isSilent = false
    for (const one of this.waiting) {
      if (one.deadline > now) break
      this.waiting.delete(one)
      isSilent ||= one.heardBefore === this.heard
      one.timedOut()
    }
    if (isSilent) this.client.reconnect?.()
  }
}
