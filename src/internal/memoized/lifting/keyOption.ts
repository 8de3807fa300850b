/** The option `key`: a name, or a name and the first parts of the key. */
import type { CachedOptions } from "../../../CachedFunction.js"
import type { CacheError } from "../../../CacheError.js"
import { escapeName, printEscapedCall, printPicked } from "../../keys/printKey.js"

type KeyOption = CachedOptions<unknown>["key"]

// `Array.isArray` does not narrow to a readonly array. A caller in JavaScript may pass anything: `MemoizedFunction` refuses it
// later.
const isList = (key: KeyOption): key is Exclude<KeyOption, string> => Array.isArray(key)

/** The name: the label of the metrics. */
export const nameIn = (key: KeyOption): string => (isList(key) ? key[0] : key)

/** Prints the keys of a function: its name, then the parts of `key`, then the arguments. */
export const callPrinter = (key: KeyOption): ((args: ReadonlyArray<unknown>) => string | CacheError) => {
  const name = escapeName(String(nameIn(key)))
  if (!isList(key)) return (args) => printEscapedCall(name, args)
  const parts = key.slice(1)
  return (args) => printEscapedCall(name, [...parts, ...args])
}

/** Prints the keys of a function: its name, then the parts of `key`, then what `keyArgs` returned. */
export const pickedPrinter = (key: KeyOption): ((picked: unknown) => string | CacheError) => {
  const name = escapeName(String(nameIn(key)))
  const parts = isList(key) ? key.slice(1) : []
  return (picked) => printPicked(name, parts, picked)
}

/** The key of an effect: that of a function which is called with the parts, or only the name. */
export const printEffect = (key: KeyOption): string | CacheError =>
  isList(key) ? callPrinter(key)([]) : escapeName(String(key))
