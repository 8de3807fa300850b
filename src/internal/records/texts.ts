/** The texts in an entry: keys of groups, their versions, ids of leases. */

/** In characters; finished keys have no more. */
export const maxTextLength = 250

const printable = /^[!-~]*$/

/** Whether it is printable ASCII without a space, as all texts are that this library makes. */
export const isText = (text: string): boolean => printable.test(text)
