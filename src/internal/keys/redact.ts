/**
 * Keys as they are shown where `redactKeys` is set. The hash has no secret, so that it is the same in every process and after a
 * restart: the logs of several processes can be joined. It is a pseudonym: who can guess a key can compute its hash.
 */
import { createHash } from "node:crypto"

/** 48 bits: two of a million keys look alike with a chance of 1 in 500. */
const shownDigits = 12

const hash = (text: string): string => createHash("sha256").update(text, "utf8").digest("hex").slice(0, shownDigits)

/** A key or a group's name that a program passes: `#3f2a9c0d1e2f`. */
export const redactText = (text: string): string => `#${hash(text)}`

/** The key of a memoized call: the name, which ends at the first `(`, and the hash of the whole: `city(#3f2a9c0d1e2f)`. */
export const redactCall = (printed: string): string => {
  const end = printed.indexOf("(")
  return end === -1 ? printed : `${printed.slice(0, end)}(${redactText(printed)})`
}

/** A key as the store sees it: `v3:shop:city("lisbon")`. */
const storedKey = /v[!-9;-~]*:[!-9;-~]*:[!-~]+/g

/** The message of a driver without the keys in it: those of other callers too, whose operations it sent in one statement. */
export const withoutStoredKeys = (message: string): string => message.replace(storedKey, "…")
