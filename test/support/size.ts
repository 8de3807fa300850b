/**
 * How much the randomised tests try. All tests together take a few minutes; `EFFECT_CACHED_TESTS=thorough npm run test:unit`
 * tries fifty times as much, before a release or where something smells.
 */
const sizes = ["quick", "thorough"] as const

const given = process.env["EFFECT_CACHED_TESTS"] ?? "quick"
const size = sizes.find((one) => one === given)
if (size === undefined) throw new Error(`EFFECT_CACHED_TESTS is ${sizes.join(" or ")}, not ${given}`)

/** One number or the other: of rounds or milliseconds. */
export const sized = (quick: number, thorough: number): number => (size === "quick" ? quick : thorough)

/** So many runs of a property, or fifty times as many. */
export const runs = (quick: number): number => sized(quick, 50 * quick)
