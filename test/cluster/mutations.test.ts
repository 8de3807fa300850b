import { expect, it } from "vitest"
import { mutate, mutations } from "./mutations.js"

it.each(mutations)("the sources can be broken so that $name, for the proof that it would be seen", (mutation) => {
  expect(mutate(mutation)).toContain(mutation.broken)
})
