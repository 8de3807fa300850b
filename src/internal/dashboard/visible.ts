/** Texts of a program as a page can show them: nothing in them is invisible, or changes the order of what stands around it. */

/** Controls, line breaks, marks of direction, what has no width, and halves of characters. */
const unseen = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}\u200B\u2060\uFEFF]/gu

export const visible = (text: string): string =>
  text.replace(unseen, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`)

/** A key may be longer than a page is wide. */
const longest = 300

export const shortened = (text: string): string =>
  // A half of a character at the end is none of the text's own.
  text.length > longest ? `${visible(text.slice(0, longest).replace(/\p{Cs}$/u, ""))}…` : visible(text)
