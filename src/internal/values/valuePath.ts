/**
 * Prints the path to a part of a value: `.items[3].price`. The walks in `examine.ts` and `keys/printValue.ts` collect its steps.
 */

/**
 * One step into a value: the name of a property, the index of an array, or the position in another collection
 * (`{ part: ".key(2)" }`).
 */
export type PathStep = string | number | { readonly part: string }

const identifier = /^[A-Za-z_$][\w$]*$/

/** How many steps of a path are printed. */
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

/**
 * The path without what may be data: names of properties that are no identifiers (`["ann@example.com"]`), and keys of Maps.
 */
export const withoutData = (path: string): string =>
  path.replace(/\["(?:[^"\\]|\\.)*"\]/g, "[…]").replace(/\.get\("(?:[^"\\]|\\.)*"\)/g, ".get(…)")
