/**
 * The figures of a benchmark, kept as JSON beside what it prints. It is written after each, so a run that is ended keeps what it
 * has.
 */
import { Effect } from "effect"
import { keepMeasured } from "../../test/support/measured.js"

export interface Figures<Figure> {
  readonly add: (...figures: ReadonlyArray<Figure>) => Effect.Effect<void>
}

/** Of the benchmark that `main.ts` runs; one that is started by hand keeps none. */
export const figures = <Figure>(): Figures<Figure> => {
  const { BENCHMARK_COMMAND: command, BENCHMARK_NAME: name, BENCHMARK_ROOT: root } = process.env
  const all: Array<Figure> = []
  return {
    add: (...more) =>
      Effect.suspend(() => {
        all.push(...more)
        if (command === undefined || name === undefined || root === undefined) return Effect.void
        return keepMeasured(root, `bench.${name}`, command, all)
      })
  }
}
