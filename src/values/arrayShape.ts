/**
 * What an array is made of besides its elements.
 *
 * `dense`: every index up to `length` and nothing else. `sparse`: some indices are holes. `extended`: it carries
 * properties of its own (a regular expression's match has `index` and `input`), or a symbol.
 */
export const arrayShape = (array: ReadonlyArray<unknown>): "dense" | "sparse" | "extended" => {
  // Index names come first and in ascending order, then `length`, then the rest, so three looks are enough.
  const names = Object.getOwnPropertyNames(array)
  const size = array.length
  if (Object.getOwnPropertySymbols(array).length > 0) return "extended"
  if (names.length === size + 1 && names[size] === "length") return "dense"
  return names[names.length - 1] === "length" ? "sparse" : "extended"
}
