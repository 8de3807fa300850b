/** A name as a part of a key that a store keeps for itself: readable where it is short, else a readable head and its hash. */
import { createHash } from "node:crypto"

const hashLength = 43

/** @param longest how many characters it may have, all printable ASCII; at least those of the hash */
export const spelled = (name: string, longest: number): string => {
  const readable = encodeURIComponent(name)
  return readable.length <= longest
    ? readable
    : `${readable.slice(0, longest - hashLength)}${createHash("sha256").update(name).digest("base64url")}`
}
