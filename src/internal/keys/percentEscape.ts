/** Escapes text to printable ASCII, and back. */

/** A run of characters that a finished key can't contain: all but `!` to `~`, and the escape character `%` itself. */
const unsafeRun = /[^!-$&-~]+/g

const loneSurrogate = /\p{Surrogate}/u

const loneSurrogateOrRest = /\p{Surrogate}|\P{Surrogate}+/gu

const hexByte = (byte: number): string => `%${byte.toString(16).toUpperCase()}`

/** The three bytes that UTF-8 would use for a surrogate, if it allowed one. */
const escapeSurrogate = (unit: number): string =>
  hexByte(0xe0 | (unit >> 12)) + hexByte(0x80 | ((unit >> 6) & 0x3f)) + hexByte(0x80 | (unit & 0x3f))

// encodeURIComponent escapes every character of an unsafe run.
const escapeRun = (run: string): string =>
  loneSurrogate.test(run)
    ? run.replace(loneSurrogateOrRest, (part) =>
        loneSurrogate.test(part) ? escapeSurrogate(part.charCodeAt(0)) : encodeURIComponent(part)
      )
    : encodeURIComponent(run)

/**
 * The text in printable ASCII: the UTF-8 bytes of all characters outside `!` to `~`, and of `%`, as `%XX`. Different texts have
 * different escapes, even those with lone surrogates.
 */
export const percentEscape = (text: string): string => text.replace(unsafeRun, escapeRun)

/** The text of an escape; the escape itself where it is cut off, or holds a lone surrogate. */
export const percentUnescape = (escaped: string): string => {
  try {
    return decodeURIComponent(escaped)
  } catch {
    return escaped
  }
}
