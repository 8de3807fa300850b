import { assert, describe, it } from "@effect/vitest"
import { Either } from "effect"
import * as fc from "fast-check"
import { CacheError } from "../../src/CacheError.js"
import { finishKey, groupKey, keyPrefix, validatePrefix } from "../../src/internal/keys/finishKey.js"
import { runs } from "../support/size.js"

const prefix = keyPrefix(3, "shop")

const wellFormedKey = /^(?:[!-$&-~]|%[0-9A-F]{2})+(?:%~[0-9a-f]{64})?$/

/** Any text, lone surrogates and all. */
const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: fc.constantFrom("a", " ", "%", "2", "0", "é", "\ud800", "\udc00", "😀", "\u0000", "\u007f") }),
  fc.string({ unit: "grapheme", minLength: 100, maxLength: 600 }),
  fc.string({ unit: fc.constantFrom("x", "é"), minLength: 200, maxLength: 300 })
)

describe("keyPrefix", () => {
  it("is readable, and splits at colons", () => {
    assert.strictEqual(keyPrefix(3, "shop"), "v3:shop:")
    assert.strictEqual(keyPrefix("2024:1", "a:b c%"), "v2024%3A1:a%3Ab%20c%25:")
    fc.assert(
      fc.property(text, text, text, (version, namespace, name) => {
        const parts = finishKey(keyPrefix(version, namespace), name).split(":")
        fc.pre(keyPrefix(version, namespace).length <= 100)
        assert.strictEqual(parts[1], keyPrefix(0, namespace).slice(3, -1))
        assert.strictEqual(parts[0], keyPrefix(version, "").slice(0, -2))
      })
    )
  })

  it("tells all versions and namespaces apart", () => {
    const part = fc.string({ unit: fc.constantFrom(":", "%", "3", "A", "v"), maxLength: 4 })
    fc.assert(
      fc.property(part, part, part, part, (version, namespace, otherVersion, otherNamespace) => {
        assert.strictEqual(
          keyPrefix(version, namespace) === keyPrefix(otherVersion, otherNamespace),
          version === otherVersion && namespace === otherNamespace
        )
      }),
      { numRuns: runs(200, 600) }
    )
  })

  it("may take 100 bytes and no more", () => {
    assert.deepStrictEqual(validatePrefix(1, "x".repeat(96)), Either.right(`v1:${"x".repeat(96)}:`))
    for (const outcome of [
      validatePrefix(1, "x".repeat(97)),
      validatePrefix("é".repeat(20), ""),
      validatePrefix(Number.NaN, "x")
    ]) {
      const error = Either.getOrThrow(Either.flip(outcome))
      assert.strictEqual(error.reason, "InvalidOption")
    }
  })
})

describe("finishKey", () => {
  it("escapes what is not printable ASCII, and drops nothing", () => {
    assert.strictEqual(finishKey(prefix, 'city("São Paulo",100%)'), 'v3:shop:city("S%C3%A3o%20Paulo",100%25)')
    assert.strictEqual(finishKey(prefix, "😀\u007f\n~!"), "v3:shop:%F0%9F%98%80%7F%0A~!")
    assert.strictEqual(finishKey(prefix, "\ud83d \ude00"), "v3:shop:%ED%A0%BD%20%ED%B8%80")
  })

  it("is printable ASCII of at most 250 bytes", () => {
    fc.assert(
      fc.property(text, (printed) => {
        const key = finishKey(prefix, printed)
        assert.match(key, wellFormedKey)
        assert.isAtMost(key.length, 250)
        assert.isTrue(key.startsWith(prefix))
      }),
      { numRuns: runs(200) }
    )
  })

  it("can be read back while it is short", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 15 }), (printed) => {
        const key = finishKey(prefix, printed)
        fc.pre(!key.includes("%~"))
        assert.strictEqual(decodeURIComponent(key.slice(prefix.length)), printed)
      })
    )
  })

  it("tells all texts apart", () => {
    const near = fc
      .tuple(text, fc.nat(600), fc.constantFrom("", "a", "é", " ", "\ud800", "%20"))
      .map(([original, at, inserted]) => [original, original.slice(0, at) + inserted + original.slice(at)] as const)
    fc.assert(
      fc.property(fc.oneof(near, fc.tuple(text, text)), ([left, right]) => {
        assert.strictEqual(finishKey(prefix, left) === finishKey(prefix, right), left === right)
      }),
      { numRuns: runs(200, 600) }
    )
  })

  it("keeps 500 non-ASCII characters apart in 250 bytes", () => {
    const keys = new Set<string>()
    for (let code = 0; code < 500; code++) {
      const printed = `city("${"ж".repeat(499)}${String.fromCodePoint(0x4e00 + code)}")`
      const key = finishKey(prefix, printed)
      assert.isAtMost(Buffer.byteLength(key), 250)
      assert.match(key, /^v3:shop:city\("(?:%D0%B6)+(?:%D0)?%~[0-9a-f]{64}$/)
      keys.add(key)
    }
    assert.strictEqual(keys.size, 500)
  })

  it("shortens from 251 bytes on, and hashes the prefix too", () => {
    const fits = "x".repeat(250 - prefix.length)
    assert.strictEqual(finishKey(prefix, fits), prefix + fits)
    const key = finishKey(prefix, `${fits}x`)
    assert.strictEqual(key.length, 250)
    assert.match(key, /%~[0-9a-f]{64}$/)
    assert.notStrictEqual(finishKey("v4:shop:", `${fits}x`).slice(-64), key.slice(-64))
  })

  it("does not take a printed key for its own shortening", () => {
    const key = finishKey(prefix, "x".repeat(400))
    assert.notStrictEqual(finishKey(prefix, key.slice(prefix.length)), key)
  })
})

describe("groupKey", () => {
  it("is readable, and no entry's key", () => {
    assert.strictEqual(groupKey(prefix, "cities"), "v3:shop:%group:cities")
    assert.strictEqual(groupKey(prefix, "big cities"), "v3:shop:%group:big%20cities")
    fc.assert(
      fc.property(
        text,
        fc.oneof(
          text,
          text.map((name) => `%group:${name}`)
        ),
        (name, printed) => {
          fc.pre(name !== "")
          assert.notStrictEqual(groupKey(prefix, name), finishKey(prefix, printed))
          assert.notStrictEqual(groupKey(prefix, name), finishKey(prefix, `%group:${name}`))
        }
      ),
      { numRuns: runs(200) }
    )
  })

  it("is at most 250 bytes, and another for every name", () => {
    fc.assert(
      fc.property(text, text, (left, right) => {
        fc.pre(left !== "" && right !== "")
        assert.strictEqual(groupKey(prefix, left) === groupKey(prefix, right), left === right)
        assert.isAtMost(String(groupKey(prefix, left)).length, 250)
      }),
      { numRuns: runs(200) }
    )
  })

  it("needs a name", () => {
    const error = groupKey(prefix, "")
    assert.instanceOf(error, CacheError)
    assert.strictEqual((error as CacheError).reason, "InvalidKey")
  })
})
