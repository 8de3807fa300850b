/**
 * How much the randomised tests try: little in each run of all tests, `EFFECT_CACHED_TESTS=thorough` a hundred times as much
 * where that is worth its time.
 */
const sizes = ["quick", "thorough"] as const

const given = process.env["EFFECT_CACHED_TESTS"] ?? "quick"
const size = sizes.find((one) => one === given)
if (size === undefined) throw new Error(`EFFECT_CACHED_TESTS is ${sizes.join(" or ")}, not ${given}`)

/** One number or the other: of runs, rounds or milliseconds. */
export const sized = (quick: number, thorough: number): number => (size === "quick" ? quick : thorough)
