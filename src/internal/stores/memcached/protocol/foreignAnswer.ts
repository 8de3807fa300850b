/**
 * What the other side said instead of memcached's binary protocol: quoted, so that whoever reads the error knows what stands on
 * that port.
 */

const longestQuote = 60
/** The first bytes of a TLS record: an alert or a handshake, then the major version. */
const tlsRecords = [0x15, 0x16]
const tlsMajor = 0x03

/** The first line, at most 60 characters of it. Whatever is not printable ASCII is written as hexadecimal. */
const quote = (bytes: Buffer): string => {
  const line = bytes.toString("latin1").split(/[\r\n]/, 1)[0] ?? ""
  const shown = line
    .slice(0, longestQuote)
    .replace(/[^\x20-\x7e]/g, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`)
  return `"${shown}${line.length > longestQuote ? "…" : ""}"`
}

/** What is needed of a server, for every error that is about a server of another kind. */
export const needsBinary =
  "the cache needs memcached's binary protocol (-B auto, which is the default, or -B binary), with no proxy in between that " +
  "speaks the text protocol only"

/** A sentence about bytes that no server of the binary protocol sends. */
export const describeForeign = (bytes: Buffer): string => {
  if (tlsRecords.includes(bytes[0] ?? 0) && bytes[1] === tlsMajor) return "it speaks TLS: give the option tls"
  const said = `it answered ${quote(bytes)}`
  // A server at its limit says so in the text protocol, whatever it was asked.
  return /^ERROR Too many open connections/i.test(bytes.toString("latin1", 0, longestQuote))
    ? `${said}: its connections are all taken (-c)`
    : `${said}: ${needsBinary}`
}
