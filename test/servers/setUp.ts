/**
 * A set-up of the whole test run that can't fail without a word. vitest prints what a set-up throws, but ends silently, and
 * even with code 0, where an error is thrown by nobody's promise, where somebody ends the process, or where nothing is left
 * to wait for.
 */
import { writeSync } from "node:fs"
import { inspect } from "node:util"

const standardError = 2

/** Runs `work`; whatever ends this process before it is done is told on standard error, with an exit code other than 0. */
export const setUp = async <A>(what: string, work: () => Promise<A>): Promise<A> => {
  const report = (why: string) => writeSync(standardError, `\nThe set-up of the tests has failed: ${what}. ${why}\n`)
  const onError = (error: unknown) => report(inspect(error))
  const onExit = (code: number) => {
    report(`The process ended with code ${code} before that was done.`)
    if (code === 0) process.exitCode = 1
  }
  process.on("uncaughtExceptionMonitor", onError)
  // First in the row: vitest's own listener ends the process at once.
  process.prependListener("exit", onExit)
  try {
    return await work()
  } catch (error) {
    onError(error)
    throw error
  } finally {
    process.off("uncaughtExceptionMonitor", onError)
    process.off("exit", onExit)
  }
}
