/**
 * What stands under a key: the generation of the namespace (8 bytes), a token (12 bytes), the record. An item counts only while the
 * namespace has its generation, so `clear` is one write. The token is made anew by each write: it is what `replace` compares.
 */
import { Buffer } from "node:buffer"
import { randomBytes } from "node:crypto"
import type { StoredBytes } from "../../../ByteStore.js"

export const generationLength = 8
const tokenLength = 12
/** The scripts compare so many bytes, and never read the record. */
export const headerLength = generationLength + tokenLength

/** Names the item that was read. A class, so that no token of another store is taken for one. */
export class RedisToken {
  constructor(private readonly item: Buffer) {}

  get header(): Buffer {
    return this.item.subarray(0, headerLength)
  }
}

export const sameToken = (one: unknown, other: unknown): boolean =>
  one instanceof RedisToken && other instanceof RedisToken && one.header.equals(other.header)

const pooled = 8_192
let pool = Buffer.alloc(0)
let used = 0

/** From a pool: a call of the generator each time takes longer than the rest of a write in this process. */
const random = (length: number): Buffer => {
  if (used + length > pool.length) {
    pool = randomBytes(pooled)
    used = 0
  }
  used += length
  return pool.subarray(used - length, used)
}

export const newGeneration = (): Buffer => random(generationLength)

export const newToken = (): Buffer => random(tokenLength)

/** The item without its generation, which the server puts in front of it. */
export const itemTail = (token: Buffer, bytes: Uint8Array): Buffer => Buffer.concat([token, bytes])

/** The record of an item of this generation; `undefined` for every other answer. */
export const storedBytes = (generation: unknown, item: unknown): StoredBytes | undefined => {
  if (!Buffer.isBuffer(generation) || !Buffer.isBuffer(item)) return undefined
  if (generation.length !== generationLength || item.length < headerLength) return undefined
  if (generation.compare(item, 0, generationLength) !== 0) return undefined
  return { token: new RedisToken(item), bytes: item.subarray(headerLength) }
}

export const tokenOf = (generation: unknown, token: Buffer): RedisToken | undefined =>
  Buffer.isBuffer(generation) ? new RedisToken(Buffer.concat([generation, token])) : undefined
