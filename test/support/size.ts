/**
 * How much the tests try, by `EFFECT_CACHED_TESTS`. `quick`, the default: each backend runs its suites once, and every promise is
 * tried, in some minutes. `whole`, for CI: the variants of a backend run the whole suites too, the packed library is installed, and
 * random tests try more. `thorough`, before a release or where something smells: random tests try fifty times as much as in
 * `whole`.
 */
const sizes = ["quick", "whole", "thorough"] as const

const given = process.env["EFFECT_CACHED_TESTS"] ?? "quick"
const size = sizes.find((one) => one === given)
if (size === undefined) throw new Error(`EFFECT_CACHED_TESTS is ${sizes.join(" or ")}, not ${given}`)

export const thorough = size === "thorough"

/** What belongs to `whole` is part of `thorough`, too. */
export const whole = size !== "quick"

/** So much in the thorough tests, or else so little: of rounds or milliseconds. */
export const sized = (few: number, many: number): number => (thorough ? many : few)

/** So many runs of a property: in `quick`, and in `whole`. */
export const runs = (few: number, more = few): number => (thorough ? 50 * more : whole ? more : few)
