/** Records made by hand: as an attacker, a damaged disk or an earlier version of the library would leave them. */

export interface Forgery {
  /** Of the format. */
  readonly version?: 1 | 2
  /** The key that the record names. */
  readonly key: string
  readonly payload?: Uint8Array
  readonly freshUntil?: number
  readonly staleUntil?: number
  readonly computeMillis?: number
  readonly lease?: { readonly id: string; readonly until: number }
  readonly groups?: ReadonlyArray<readonly [key: string, version: string]>
}

const numbers = (kind: "u16" | "u32" | "f64", values: ReadonlyArray<number>): Buffer =>
  Buffer.concat(
    values.map((value) => {
      const bytes = Buffer.alloc(kind === "u16" ? 2 : kind === "u32" ? 4 : 8)
      if (kind === "f64") bytes.writeDoubleLE(value)
      // As a program writes it that does not care: the low bits of the number.
      else if (kind === "u16") bytes.writeUInt16LE(value & 0xffff)
      else bytes.writeUInt32LE(value >>> 0)
      return bytes
    })
  )

export const forge = ({
  computeMillis = 1,
  freshUntil = 4e12,
  groups = [],
  key,
  lease,
  payload,
  staleUntil = 4e12,
  version = 2
}: Forgery): Buffer => {
  const texts = [...(lease === undefined ? [] : [lease.id]), ...groups.flat()].map((text) =>
    Buffer.from(text, "latin1")
  )
  const lengths = numbers(
    "u16",
    texts.map((text) => text.length)
  )
  const body = Buffer.concat([
    version === 1 ? Buffer.alloc(0) : Buffer.concat([numbers("u16", [key.length]), Buffer.from(key, "latin1")]),
    payload === undefined ? Buffer.alloc(0) : numbers("f64", [freshUntil, staleUntil, computeMillis]),
    lease === undefined ? Buffer.alloc(0) : numbers("f64", [lease.until]),
    version === 1 && texts.length > 0 ? numbers("u32", [Buffer.concat(texts).length]) : Buffer.alloc(0),
    lengths,
    ...texts,
    payload ?? Buffer.alloc(0)
  ])
  const flags = (payload === undefined ? 0 : 1) + (lease === undefined ? 0 : 2)
  return Buffer.concat([
    Buffer.of(0xec, version, flags),
    numbers("u32", [9 + body.length]),
    numbers("u16", [groups.length]),
    body
  ])
}

/** What V8's deserializer reads as an array of 2^25 holes: 11 bytes for 256 MB. */
const v8Array = Buffer.from("6180808010400080808010", "hex")

/** A value of `node:v8` in 51 bytes that takes 1 GB to read: an array of four such arrays. */
export const v8Bomb: Buffer = Buffer.concat([
  Buffer.from("ff0f4104", "hex"),
  ...Array.from({ length: 4 }, () => v8Array),
  Buffer.from("240004", "hex")
])

/** Bytes of memory that this process has taken meanwhile, in V8's heap and beside it. */
export const memoryTaken = (work: () => void): number => {
  const taken = () => {
    const { external, heapUsed } = process.memoryUsage()
    return external + heapUsed
  }
  const before = taken()
  work()
  return taken() - before
}
