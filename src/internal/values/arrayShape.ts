/**
 * Whether an array is more or less than its elements.
 *
 * `dense`: it has every index up to `length` and nothing else. `sparse`: some indices are holes. `extended`: it has other
 * properties (the match of a regular expression has `index` and `input`), or a symbol.
 */
export const arrayShape = (array: ReadonlyArray<unknown>): "dense" | "sparse" | "extended" => {
  // The indices come first, then `length`, then other names and symbols. So the last key and the count say it all.
  const keys = Reflect.ownKeys(array)
  if (keys[keys.length - 1] !== "length") return "extended"
  return keys.length === array.length + 1 ? "dense" : "sparse"
}
