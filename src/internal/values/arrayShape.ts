/**
 * What an array is made of besides its elements.
 *
 * `dense`: every index up to `length` and nothing else. `sparse`: some indices are holes. `extended`: it carries
 * properties of its own (a regular expression's match has `index` and `input`), or a symbol.
 */
export const arrayShape = (array: ReadonlyArray<unknown>): "dense" | "sparse" | "extended" => {
  // Index names come first and in ascending order, then `length`, other names and symbols, so two looks are enough.
  const keys = Reflect.ownKeys(array)
  if (keys[keys.length - 1] !== "length") return "extended"
  return keys.length === array.length + 1 ? "dense" : "sparse"
}
