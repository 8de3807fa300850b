/**
 * Where inside a value something was found: `.items[3].price`.
 */

/**
 * One step into a value: a property name, an array index, or the position in a collection that has neither
 * (`{ part: ".key(2)" }`).
 */
export type PathStep = string | number | { readonly part: string }

const identifier = /^[A-Za-z_$][\w$]*$/

/** Deep values have paths that nobody reads to the end. */
const maxSteps = 20

const printStep = (step: PathStep): string => {
  if (typeof step === "number") return `[${step}]`
  if (typeof step === "object") return step.part
  return identifier.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`
}

export const printPath = (steps: ReadonlyArray<PathStep>): string =>
  steps.length <= maxSteps
    ? steps.map(printStep).join("")
    : `${steps.slice(0, maxSteps).map(printStep).join("")}… (${steps.length - maxSteps} more steps)`
