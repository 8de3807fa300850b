/** Collects all that a program says: log lines with their details, spans with their attributes and failures. */
import { inspect } from "node:util"
import { Cause, type Context, Effect, Exit, HashMap, Layer, Logger, LogLevel, type Option, Tracer } from "effect"

const everythingOf = (value: unknown): string => {
  const seen = inspect(value, { depth: Number.POSITIVE_INFINITY, showHidden: true, maxStringLength: null })
  return value instanceof Error ? `${seen} ${Cause.pretty(Cause.fail(value))}` : seen
}

class Collected implements Tracer.Span {
  readonly _tag = "Span"
  readonly spanId = `${Math.random()}`
  readonly traceId = "trace"
  readonly sampled = true
  readonly attributes = new Map<string, unknown>()
  readonly links: Array<Tracer.SpanLink> = []
  status: Tracer.SpanStatus

  constructor(
    readonly said: Said,
    readonly name: string,
    readonly parent: Option.Option<Tracer.AnySpan>,
    readonly context: Context.Context<never>,
    readonly kind: Tracer.SpanKind,
    startTime: bigint
  ) {
    this.status = { _tag: "Started", startTime }
    said.tell("span", name)
  }

  attribute(key: string, value: unknown): void {
    this.attributes.set(key, value)
    this.said.tell("attribute", key, value)
  }

  /** What a span succeeded with goes to no exporter; its failure does. */
  end(_endTime: bigint, exit: Exit.Exit<unknown, unknown>): void {
    if (Exit.isFailure(exit)) this.said.tell("end", exit.cause, Cause.pretty(exit.cause))
  }

  event(name: string, _startTime: bigint, attributes?: Record<string, unknown>): void {
    this.said.tell("event", name, attributes)
  }

  addLinks(): void {}
}

export class Said {
  readonly lines: Array<string> = []
  /** The messages of all log lines, and of the warnings and errors alone. */
  readonly logged: Array<string> = []
  readonly warnings: Array<string> = []

  tell(...what: ReadonlyArray<unknown>): void {
    this.lines.push(what.map(everythingOf).join(" "))
  }

  /** All that contains the text. */
  quoting(text: string): ReadonlyArray<string> {
    return this.lines.filter((line) => line.includes(text))
  }

  private readonly logger = Logger.make(({ annotations, cause, logLevel, message }) => {
    const parts: ReadonlyArray<unknown> = Array.isArray(message) ? message : [message]
    this.tell("log", ...parts, HashMap.toEntries(annotations), cause, Cause.pretty(cause))
    this.logged.push(String(parts[0]))
    if (LogLevel.greaterThanEqual(logLevel, LogLevel.Warning)) this.warnings.push(String(parts[0]))
  })

  private readonly tracer = Tracer.make({
    span: (name, parent, context, _links, startTime, kind) =>
      new Collected(this, name, parent, context, kind, startTime),
    context: (run) => run()
  })

  /** @param level the lowest level that is logged */
  readonly from = (level: LogLevel.LogLevel): Layer.Layer<never> =>
    Layer.mergeAll(
      Logger.replace(Logger.defaultLogger, this.logger),
      Logger.minimumLogLevel(level),
      Layer.setTracer(this.tracer)
    )

  /** Everything, with debug logs and spans. */
  readonly layer = this.from(LogLevel.All)

  /** The effect's own failures count as said, and it goes on. */
  readonly hear = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<void, never, R> =>
    Effect.catchAllCause(Effect.asVoid(effect), (cause) =>
      Effect.sync(() => this.tell("failed", cause, ...Cause.failures(cause), ...Cause.defects(cause)))
    )
}
