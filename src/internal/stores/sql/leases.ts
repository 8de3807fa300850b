/**
 * What SQL knows of the records of leases: a running computation, or a tombstone. They are short-lived and small, and there are as
 * many as computations have begun in this time. So `maxEntries` does not count them, or they would push out values. The same
 * holds for the versions of groups that no value has prolonged.
 */
import { bareLease } from "../../records/entryCodec.js"

/** Milliseconds. What expires later counts as a value, whatever it is. */
export const shortLived = 60_000

/** Bytes. A larger record counts as a value, so that the database need not load large values to look into them. */
const small = 1_024

/**
 * SQL: whether a record that expires soon is a lease without a value.
 *
 * @param length the database's function of the length in bytes
 */
export const isLease = (length: string, literalOfByte: (hex: string) => string): string =>
  `(${length}(value) <= ${small} AND substr(value, ${bareLease.flagsAt + 1}, 1) = ${literalOfByte(bareLease.flags.toString(16).padStart(2, "0"))})`
