import { deepStrictEqual } from "node:assert"
import { assert, describe, it } from "@effect/vitest"
import { Either } from "effect"
import * as fc from "fast-check"
import { decodePlain, encodePlain } from "../../src/internal/values/plainData.js"
import { runs } from "../support/size.js"
import { jsonData, plainData, poisonedData, unstorable } from "./arbitraryData.js"

const encoded = (value: unknown): Uint8Array =>
  Either.getOrThrowWith(encodePlain(value), ({ path, problem }) => new Error(`${path} ${problem}`))

const roundTrip = (value: unknown): unknown => Either.getOrThrow(decodePlain(encoded(value)))

const refusalOf = (value: unknown): string => {
  const { path, problem } = Either.getOrThrow(Either.flip(encodePlain(value)))
  return `${path} ${problem}`
}

const nest = (levels: number, innermost: unknown, around: (inner: unknown) => unknown): unknown => {
  let value = innermost
  for (let level = 0; level < levels; level++) value = around(value)
  return value
}

describe("encodePlain", () => {
  it("gives back exactly what it took", () => {
    fc.assert(
      fc.property(plainData, (value) => {
        deepStrictEqual(roundTrip(value), value)
      }),
      { numRuns: runs(200, 600) }
    )
  })

  it("refuses what would come back different, wherever it is", () => {
    fc.assert(
      fc.property(poisonedData, (value) => {
        assert.isTrue(Either.isLeft(encodePlain(value)))
      }),
      { numRuns: runs(150, 400) }
    )
  })

  it("keeps JSON as JSON", () => {
    fc.assert(
      fc.property(jsonData, (value) => {
        assert.strictEqual(Buffer.from(encoded(value)).toString("utf8"), JSON.stringify(value))
        deepStrictEqual(roundTrip(value), value)
      })
    )
  })

  for (const [problem, make] of unstorable) {
    it(`says of a part that it ${problem}`, () => {
      const expected = /getter|hidden/.test(problem)
        ? /^value\.items\[3\]\.price(\.\w+|\[0\]) /
        : /^value\.items\[3\]\.price /
      const refusal = refusalOf({ items: [1, 2, 3, { price: make() }] })
      assert.include(refusal, ` ${problem}`)
      if (!problem.startsWith("can't")) assert.match(refusal, expected)
      assert.include(refusalOf(make()), ` ${problem}`)
    })
  }

  it("tells the path through maps, sets and strange names", () => {
    const part = () => 1
    assert.strictEqual(refusalOf({ "a b": part }), `value["a b"] is a function, which can't be stored`)
    assert.strictEqual(refusalOf(new Map([["k", part]])), `value.get("k") is a function, which can't be stored`)
    assert.strictEqual(refusalOf(new Map([[1, part]])), "value.value(0) is a function, which can't be stored")
    assert.strictEqual(refusalOf(new Map([[part, 1]])), "value.key(0) is a function, which can't be stored")
    assert.strictEqual(refusalOf([new Set([1, part])]), "value[0].item(1) is a function, which can't be stored")
  })

  it("refuses a getter that would answer differently the second time", () => {
    let calls = 0
    const value = {
      get fickle() {
        return calls++
      }
    }
    assert.include(refusalOf(value), "value.fickle is a getter")
    assert.strictEqual(calls, 0)
  })

  it("keeps an invalid date, and the names that objects inherit", () => {
    const date = roundTrip(new Date(Number.NaN))
    assert.instanceOf(date, Date)
    assert.isNaN((date as Date).getTime())
    const tricky = JSON.parse('{"__proto__":{"a":1},"constructor":2,"hasOwnProperty":3}')
    for (const value of [tricky, { ...tricky, big: 1n }]) {
      deepStrictEqual(roundTrip(value), value)
      assert.isTrue(Object.hasOwn(roundTrip(tricky) as object, "__proto__"))
    }
  })

  it("keeps cycles, and what is shared where JSON has no words", () => {
    const ring: Record<string, unknown> = { name: "ring", date: new Date(0) }
    ring["self"] = ring
    ring["map"] = new Map<unknown, unknown>([[ring, [ring]]])
    const back = roundTrip(ring) as Record<string, unknown>
    assert.strictEqual(back["self"], back)
    deepStrictEqual([...(back["map"] as Map<unknown, unknown>)], [[back, [back]]])
    const plainRing: Array<unknown> = []
    plainRing.push(plainRing)
    const plainBack = roundTrip(plainRing) as Array<unknown>
    assert.strictEqual(plainBack[0], plainBack)
  })

  const doublings: ReadonlyArray<readonly [string, (inner: unknown) => object]> = [
    ["arrays", (inner) => [inner, inner]],
    ["objects", (inner) => ({ left: inner, right: inner })]
  ]

  for (const [name, doubled] of doublings) {
    it(`stores what is reachable along 2^60 paths through ${name} once`, () => {
      const value = nest(60, { a: 1 }, doubled)
      assert.isBelow(encoded(value).length, 2000)
      let back = roundTrip(value)
      for (let level = 0; level < 60; level++) {
        const [left, right] = Object.values(back as object)
        assert.strictEqual(left, right)
        back = left
      }
      deepStrictEqual(back, { a: 1 })
    })
  }

  const wrappings: ReadonlyArray<readonly [string, (inner: unknown) => unknown]> = [
    ["arrays", (inner) => [inner]],
    ["objects", (inner) => ({ inner })],
    ["maps", (inner) => new Map([[1, inner]])],
    ["map keys", (inner) => new Map([[inner, 1]])],
    ["sets", (inner) => new Set([inner])]
  ]

  for (const [name, around] of wrappings) {
    it(`takes 400 levels of ${name}, and refuses 501 or 100 000`, () => {
      const innermost = (value: unknown): unknown => {
        let current = value
        while (typeof current === "object" && current !== null) {
          const parts: ReadonlyArray<unknown> =
            current instanceof Map
              ? [...current].flat()
              : current instanceof Set
                ? [...current]
                : Object.values(current)
          current = parts.find((part) => part !== 1)
        }
        return current
      }
      for (const leaf of ["leaf", 10n]) {
        assert.strictEqual(innermost(roundTrip(nest(400, leaf, around))), leaf)
        for (const levels of [501, 100_000]) {
          assert.include(refusalOf(nest(levels, leaf, around)), "is nested more than 500 levels deep")
        }
      }
    })
  }

  it("refuses a chain that is long only from one end", () => {
    const links = Array.from({ length: 10_000 }, (): Record<string, unknown> => ({}))
    for (const [index, link] of links.entries()) link["next"] = links[index + 1] ?? null
    assert.include(refusalOf({ links }), "is nested more than 500 levels deep")
  })

  it("quotes nothing of what a proxy throws, and names its place", () => {
    const throwing = (trap: "getPrototypeOf" | "ownKeys") =>
      new Proxy(
        {},
        {
          [trap]: () => {
            throw new RangeError("a secret")
          }
        }
      )
    for (const trap of ["getPrototypeOf", "ownKeys"] as const) {
      assert.strictEqual(refusalOf({ a: [throwing(trap)] }), "value.a[0] is a proxy, which can't be stored")
      assert.notInclude(refusalOf(throwing(trap)), "secret")
    }
  })

  it("names the place of a view whose memory was transferred", () => {
    for (const make of [
      (memory: ArrayBuffer) => new Float64Array(memory),
      (memory: ArrayBuffer) => new DataView(memory),
      (memory: ArrayBuffer) => Buffer.from(memory)
    ]) {
      const view = make(new ArrayBuffer(8))
      structuredClone(view.buffer, { transfer: [view.buffer] })
      assert.strictEqual(refusalOf({ a: [view] }), "value.a[0] threw when it was read")
    }
  })

  it("refuses all but bytes where a polyfill has added a toJSON to all objects or arrays", () => {
    for (const polluted of [Object.prototype, Array.prototype]) {
      try {
        Object.defineProperty(polluted, "toJSON", { value: () => "other", configurable: true })
        for (const value of [{ a: 1 }, [1], { a: [new Date(0)] }]) {
          assert.include(refusalOf(value), "can't be stored, because Object.prototype or Array.prototype has a toJSON")
        }
        assert.isTrue(Either.isRight(encodePlain(Uint8Array.of(1))))
      } finally {
        Reflect.deleteProperty(polluted, "toJSON")
      }
    }
  })

  it("answers when the stack is almost used up", () => {
    const value = nest(300, new Date(0), (inner) => [inner])
    const bytes = encoded(value)
    // The first answer from as deep as the call itself fits: it can't be that all went well.
    const deepDown = <A>(call: () => A): A => {
      try {
        return deepDown(call)
      } catch {
        return call()
      }
    }
    // Twice: what V8 makes at the first error needs more of the stack than all later ones.
    for (let round = 0; round < 2; round++) {
      const [encoded, decoded] = [deepDown(() => encodePlain(value)), deepDown(() => decodePlain(bytes))]
      if (round > 0) assert.isTrue(Either.isLeft(encoded) && Either.isLeft(decoded))
    }
  })
})

describe("decodePlain", () => {
  const decoded = (bytes: Uint8Array): unknown => Either.getOrThrow(decodePlain(bytes))

  it("shares no memory with what it decodes", () => {
    for (const value of [
      Uint8Array.of(1, 2, 3),
      Buffer.from("abc"),
      new DataView(Uint8Array.of(1, 2, 3).buffer),
      Float64Array.of(1, 2),
      Uint16Array.of(1, 2)
    ]) {
      for (const shift of [0, 1, 2, 3]) {
        const source = encoded({ value })
        const record = Buffer.concat([Buffer.alloc(shift), source]).subarray(shift)
        const back = (decoded(record) as { readonly value: ArrayBufferView }).value
        record.fill(0)
        deepStrictEqual(back, value)
        assert.strictEqual(back.buffer.byteLength, value.byteLength)
      }
      const plain = encoded(value)
      const back = decoded(plain) as ArrayBufferView
      plain.fill(0)
      deepStrictEqual(back, value)
      assert.strictEqual(back.buffer.byteLength, value.byteLength)
    }
  })

  it("stores of a view no more than the view", () => {
    const secret = Buffer.from("a secret in the pool, then bytes")
    assert.notInclude(Buffer.from(encoded([secret.subarray(-5), 1n])).toString("latin1"), "secret")
  })

  it("reads a Uint8Array as well as a Buffer", () => {
    for (const value of [{ a: "é" }, new Map([["a", 1]]), Uint8Array.of(1)]) {
      deepStrictEqual(decoded(Uint8Array.from(encoded(value))), value)
    }
  })

  it("reads this text, which later versions must still read", () => {
    const value = {
      none: undefined,
      numbers: [Number.NaN, -0, Number.NEGATIVE_INFINITY, -255n],
      date: new Date(1_709_210_096_789),
      map: new Map<unknown, unknown>([["$Map", new Set(["$"])]]),
      // biome-ignore lint/suspicious/noSparseArray: holes are what is stored here
      sparse: [1, , "$x"],
      view: Uint16Array.of(0x4241),
      texts: ["$Set", "$$"]
    }
    const text = [
      '{"none":"$undefined","numbers":["$NaN","$-0","$-Infinity","$n-ff"],"date":"$d1709210096789",',
      '"map":["$Map","$$Map",["$Set","$$"]],"sparse":["$Sparse",3,0,1,2,"$$x"],"view":["$Uint16Array",2],',
      '"texts":["$$Set","$$$"]}'
    ].join("")
    const bytes = Buffer.concat([Buffer.of(3, text.length, 0, 0, 0), Buffer.from(`${text}AB`)])
    deepStrictEqual(Buffer.from(encoded(value)), bytes)
    deepStrictEqual(decoded(bytes), value)
  })

  it("fails on no bytes and on foreign ones, and never throws", () => {
    for (const bytes of [[], [0], [0x7b], [3], [3, 9], [3, 9, 0, 0, 0], [0xff], [0xff, 0x0f], [0xff, 0x0f, 0x6f]]) {
      assert.isTrue(Either.isLeft(decodePlain(Uint8Array.from(bytes))))
    }
    const marked = fc.tuple(
      fc.constantFrom([], [0x01], [0x02], [0x03], [0xff], [0xff, 0x0f]),
      fc.uint8Array({ maxLength: 60 })
    )
    fc.assert(
      fc.property(marked, ([mark, bytes]) => {
        assert.isTrue(Either.isEither(decodePlain(Uint8Array.from([...mark, ...bytes]))))
      }),
      { numRuns: runs(350, 1_000) }
    )
    fc.assert(
      fc.property(plainData, fc.nat(), fc.nat(7), fc.boolean(), (value, at, bit, cut) => {
        const bytes = Buffer.from(encoded(value))
        const index = at % bytes.length
        bytes[index] = (bytes[index] ?? 0) ^ (1 << bit)
        assert.isTrue(Either.isEither(decodePlain(cut ? bytes.subarray(0, index) : bytes)))
      }),
      { numRuns: runs(200, 600) }
    )
  })
})
