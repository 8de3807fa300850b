/**
 * How much the tests try. All together take a few minutes; with `EFFECT_CACHED_TESTS=thorough npm run test:unit`, before a release
 * or where something smells, the randomised ones try fifty times as much, and variants of a backend run the whole suites too.
 */
const sizes = ["quick", "thorough"] as const

const given = process.env["EFFECT_CACHED_TESTS"] ?? "quick"
const size = sizes.find((one) => one === given)
if (size === undefined) throw new Error(`EFFECT_CACHED_TESTS is ${sizes.join(" or ")}, not ${given}`)

export const thorough = size === "thorough"

/** One number or the other: of rounds or milliseconds. */
export const sized = (few: number, many: number): number => (thorough ? many : few)

/** So many runs of a property, or fifty times as many. */
export const runs = (few: number): number => sized(few, 50 * few)
