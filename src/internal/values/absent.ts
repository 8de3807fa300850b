/**
 * What is kept in place of a value that is known to be absent. No encoded value begins with the mark of bytes, so a function that
 * keeps no absence reads what it can't decode, which is a miss.
 */

/** Stands for the value that a key has not, and is its payload where the store keeps references. */
export const absent: unique symbol = Symbol.for("effect-cached/absent")

const mark = 0x05

export const absentBytes = (): Uint8Array => Uint8Array.of(mark)

export const isAbsent = (payloads: "references" | "bytes", payload: unknown): boolean =>
  payloads === "references"
    ? payload === absent
    : payload instanceof Uint8Array && payload.length === 1 && payload[0] === mark
