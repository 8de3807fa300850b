/** What is logged as a warning, or worse. */
import { type Layer, Logger, LogLevel } from "effect"

export interface Warned {
  readonly lines: ReadonlyArray<string>
  readonly layer: Layer.Layer<never>
}

/** The layer of a logger, and what it has heard. */
export const warned = (): Warned => {
  const lines: Array<string> = []
  const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
    if (LogLevel.greaterThanEqual(logLevel, LogLevel.Warning)) lines.push(String(message))
  })
  return { lines, layer: Logger.replace(Logger.defaultLogger, logger) }
}
