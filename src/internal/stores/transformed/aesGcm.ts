/**
 * Values encrypted with AES-256-GCM, the finished key as authenticated data: bytes that were cut, changed, moved to another key or
 * encrypted with another secret are refused.
 *
 * ```text
 * 0       0x12
 * 1..4    id of the secret
 * 5..20   random salt
 * 21..32  random nonce
 * 33..48  authentication tag
 * then    the ciphertext
 * ```
 *
 * Each value is encrypted with a key of its own, made of the secret and the salt. Under one key no more than 2^32 random nonces of
 * 12 bytes may be used (NIST SP 800-38D, 8.3), and a cache writes that many values.
 */
import { Buffer } from "node:buffer"
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  type KeyObject,
  randomFillSync
} from "node:crypto"
import { Effect, Either } from "effect"
import { eventLoopTurn } from "../../runtime/eventLoop.js"
import type { ByteTransform } from "./ByteTransform.js"

const algorithm = "aes-256-gcm"
const mark = 0x12
const idAt = 1
const saltAt = 5
const nonceAt = 21
const tagAt = 33
const textAt = 49
const tagLength = textAt - tagAt

export const secretBytes = 32

/** Bytes: about a millisecond's work. */
const mostAtOnce = 1024 * 1024

interface Secret {
  readonly key: KeyObject
  /** Tells which secret it was; nothing of the secret can be learned from it. */
  readonly id: Buffer
}

const derived = (secret: KeyObject, purpose: string, salt: Uint8Array): Buffer =>
  createHmac("sha256", secret).update(`effect-cached ${algorithm} ${purpose}`).update(salt).digest()

const secretOf = (bytes: Uint8Array): Secret => {
  const key = createSecretKey(bytes)
  return { key, id: derived(key, "id", new Uint8Array()).subarray(0, saltAt - idAt) }
}

interface Cipher {
  readonly update: (bytes: Uint8Array) => Buffer
  readonly final: () => Buffer
}

const allAtOnce = (cipher: Cipher, bytes: Uint8Array): ReadonlyArray<Buffer> => [cipher.update(bytes), cipher.final()]

/** Slice by slice, each in a turn of the event loop of its own. `final` throws where the bytes are not authentic. */
const inSlices = (cipher: Cipher, bytes: Uint8Array): Effect.Effect<ReadonlyArray<Buffer>, unknown> => {
  const slices: Array<Buffer> = []
  const from = (start: number): Effect.Effect<ReadonlyArray<Buffer>, unknown> =>
    Effect.flatMap(eventLoopTurn, () =>
      Effect.suspend(() => {
        if (start >= bytes.length) {
          return Effect.try({ try: () => [...slices, cipher.final()], catch: (error) => error })
        }
        slices.push(cipher.update(bytes.subarray(start, start + mostAtOnce)))
        return from(start + mostAtOnce)
      })
    )
  return from(0)
}

const foreign = Either.left("no bytes of this transformation")

/** @param secrets the first one encrypts, all decrypt */
export const aesGcm = (secrets: readonly [Uint8Array, ...ReadonlyArray<Uint8Array>]): ByteTransform => {
  const [first, ...others] = secrets
  const writing = secretOf(first)
  const reading = [writing, ...others.map(secretOf)]

  const openWith = (secret: Secret, bytes: Buffer, key: string): Effect.Effect<Uint8Array, unknown> => {
    const cipher = createDecipheriv(
      algorithm,
      derived(secret.key, "value", bytes.subarray(saltAt, nonceAt)),
      bytes.subarray(nonceAt, tagAt),
      { authTagLength: tagLength }
    )
    cipher.setAAD(Buffer.from(key, "latin1"))
    cipher.setAuthTag(bytes.subarray(tagAt, textAt))
    const text = bytes.subarray(textAt)
    return text.length > mostAtOnce
      ? Effect.map(inSlices(cipher, text), (parts) => Buffer.concat(parts))
      : Either.try(() => Buffer.concat(allAtOnce(cipher, text)))
  }

  return {
    name: algorithm,
    opaque: true,
    encode: (bytes, key) => {
      const head = Buffer.alloc(textAt)
      head[0] = mark
      head.set(writing.id, idAt)
      randomFillSync(head, saltAt, tagAt - saltAt)
      const cipher = createCipheriv(
        algorithm,
        derived(writing.key, "value", head.subarray(saltAt, nonceAt)),
        head.subarray(nonceAt, tagAt),
        { authTagLength: tagLength }
      )
      cipher.setAAD(Buffer.from(key, "latin1"))
      const sealed = (parts: ReadonlyArray<Buffer>): Buffer => {
        head.set(cipher.getAuthTag(), tagAt)
        return Buffer.concat([head, ...parts])
      }
      return bytes.length > mostAtOnce
        ? Effect.orDie(Effect.map(inSlices(cipher, bytes), sealed))
        : Either.right(sealed(allAtOnce(cipher, bytes)))
    },
    decode: (given, key) => {
      if (given.length < textAt || given[0] !== mark) return foreign
      const bytes = Buffer.from(given.buffer, given.byteOffset, given.byteLength)
      const secret = reading.find(({ id }) => id.compare(bytes, idAt, saltAt) === 0)
      return secret === undefined ? foreign : openWith(secret, bytes, key)
    }
  }
}
