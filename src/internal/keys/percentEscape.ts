/** A run of what a finished key can't contain as it is: everything but `!` to `~`, and the escape character itself. */
const unsafeRun = /[^!-$&-~]+/g

const loneSurrogate = /\p{Surrogate}/u

const loneSurrogateOrRest = /\p{Surrogate}|\P{Surrogate}+/gu

const hexByte = (byte: number): string => `%${byte.toString(16).toUpperCase()}`

/** The three bytes that UTF-8 would give it if it allowed any. */
const escapeSurrogate = (unit: number): string =>
  hexByte(0xe0 | (unit >> 12)) + hexByte(0x80 | ((unit >> 6) & 0x3f)) + hexByte(0x80 | (unit & 0x3f))

// Nothing in an unsafe run is among the characters that encodeURIComponent lets pass.
const escapeRun = (run: string): string =>
  loneSurrogate.test(run)
    ? run.replace(loneSurrogateOrRest, (part) =>
        loneSurrogate.test(part) ? escapeSurrogate(part.charCodeAt(0)) : encodeURIComponent(part)
      )
    : encodeURIComponent(run)

/**
 * The text in printable ASCII: the UTF-8 bytes of everything outside `!` to `~`, and of `%`, as `%XX`. Two texts never
 * share a spelling; one with a lone surrogate has one that no well-formed text has.
 */
export const percentEscape = (text: string): string => text.replace(unsafeRun, escapeRun)
