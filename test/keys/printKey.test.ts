import { assert, describe, it } from "@effect/vitest"
import {
  Chunk,
  Data,
  DateTime,
  Duration,
  Either,
  Equal,
  Hash,
  HashMap,
  HashSet,
  Option,
  PrimaryKey,
  Redacted,
  Schema
} from "effect"
import * as fc from "fast-check"
import { CacheError } from "../../src/CacheError.js"
import { escapeName, type Key, printCall, printEscapedCall, printKey } from "../../src/internal/keys/printKey.js"
import { runs } from "../support/size.js"
import { argument, argumentList, rebuilt, replacedAt } from "./arbitraryArguments.js"
import { structurallyEqual } from "./structurallyEqual.js"

/** Of a call without its name. */
const printArguments = (args: ReadonlyArray<unknown>): string | CacheError => {
  const call = printEscapedCall("f", args)
  return typeof call === "string" ? call.slice("f(".length, -1) : call
}

const printed = (outcome: string | CacheError): string => {
  assert.isString(outcome)
  return outcome as string
}

const refused = (outcome: string | CacheError): CacheError => {
  assert.instanceOf(outcome, CacheError)
  const error = outcome as CacheError
  assert.strictEqual(error.reason, "InvalidKey")
  return error
}

class User {
  constructor(
    readonly id: string,
    readonly noise: unknown = Symbol("noise")
  ) {}
  [PrimaryKey.symbol]() {
    return this.id
  }
}

class ById extends Schema.TaggedRequest<ById>()("ById", {
  failure: Schema.Never,
  success: Schema.String,
  payload: { id: Schema.String }
}) {
  [PrimaryKey.symbol]() {
    return this.id
  }
}

class Plain {
  readonly x = 1
}

describe("printArguments", () => {
  const spellings: ReadonlyArray<readonly [unknown, string]> = [
    ["lisbon", '"lisbon"'],
    ['a"b\\c\n', '"a\\"b\\\\c\\n"'],
    ["\ud800", '"\\ud800"'],
    ["São 😀", '"São 😀"'],
    [1.5, "1.5"],
    [-0, "-0"],
    [Number.NaN, "NaN"],
    [Number.NEGATIVE_INFINITY, "-Infinity"],
    [10n, "10n"],
    [true, "true"],
    [null, "null"],
    [undefined, "undefined"],
    [{ page: 2, a: { c: 1, b: [] } }, '{"a":{"b":[],"c":1},"page":2}'],
    [Object.assign(Object.create(null), { a: 1 }), '{"a":1}'],
    // biome-ignore lint/suspicious/noSparseArray: holes are what is printed
    [["a", , "b"], 'Array(3){0:"a",2:"b"}'],
    [new Array(4_000_000_000), "Array(4000000000){}"],
    [new Date(0), "Date(1970-01-01T00:00:00.000Z)"],
    [new Date(Number.NaN), "Date(invalid)"],
    [
      new Map<unknown, unknown>([
        ["b", 1],
        [1, "x"]
      ]),
      'Map{"b":1,1:"x"}'
    ],
    [new Set(["b", "a"]), 'Set{"a","b"}'],
    [Uint8Array.of(192, 255, 238), "Uint8Array(c0ffee)"],
    [Buffer.from("hi"), "Buffer(6869)"],
    [Uint8Array.of(1, 2, 3).buffer, "ArrayBuffer(010203)"],
    [new DataView(Uint8Array.of(1, 2, 3).buffer, 1), "DataView(0203)"],
    [Float64Array.of(-0, 1.5, Number.NaN), "Float64Array(-0,1.5,NaN)"],
    [BigInt64Array.of(-1n), "BigInt64Array(-1n)"],
    [new User("7"), 'PrimaryKey(class "User","7")'],
    [new ById({ id: "7" }), 'PrimaryKey("ById","7")'],
    [{ [PrimaryKey.symbol]: () => "7" }, 'PrimaryKey("7")'],
    [Option.some({ a: 1 }), 'Some({"a":1})'],
    [Option.none(), "None"],
    [Either.right("x"), 'Right("x")'],
    [Either.left("x"), 'Left("x")'],
    [Chunk.make(2, 1), "Chunk[2,1]"],
    [HashMap.make(["b", 1], ["a", 2]), 'HashMap{"a":2,"b":1}'],
    [HashSet.make("b", "a"), 'HashSet{"a","b"}'],
    [Duration.millis(1.5), "Duration(1500000ns)"],
    [Duration.nanos(1n), "Duration(1ns)"],
    [Duration.infinity, "Duration(Infinity)"],
    [DateTime.unsafeMake(0), "DateTime(1970-01-01T00:00:00.000Z)"],
    [DateTime.unsafeMakeZoned(0, { timeZone: "Europe/Lisbon" }), "DateTime(1970-01-01T00:00:00.000Z@Europe/Lisbon)"],
    [Data.struct({ b: 1, a: 2 }), '{"a":2,"b":1}'],
    [Data.tuple(1, "a"), '[1,"a"]'],
    [
      Data.taggedEnum<{ readonly _tag: "Circle"; readonly radius: number }>().Circle({ radius: 1 }),
      '{"_tag":"Circle","radius":1}'
    ]
  ]

  for (const [value, spelling] of spellings) {
    it(`prints ${spelling}`, () => {
      assert.strictEqual(printArguments([value]), spelling)
      assert.strictEqual(printArguments(["x", value]), `"x",${spelling}`)
    })
  }

  it("tells apart all kinds of memory with the same bytes", () => {
    const memory = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0)
    const kinds = [
      memory,
      memory.buffer,
      Buffer.from(memory),
      new DataView(memory.buffer),
      new Uint8ClampedArray(memory.buffer),
      new Int8Array(memory.buffer),
      new Uint16Array(memory.buffer),
      new Int16Array(memory.buffer),
      new Uint32Array(memory.buffer),
      new Int32Array(memory.buffer),
      new Float32Array(memory.buffer),
      new Float64Array(memory.buffer),
      new BigInt64Array(memory.buffer),
      new BigUint64Array(memory.buffer),
      [...memory]
    ]
    assert.strictEqual(new Set(kinds.map((kind) => printed(printArguments([kind])))).size, kinds.length)
  })

  it("prints the same after Effect has hashed the value", () => {
    const value = Data.struct({ a: 1 })
    Hash.hash(value)
    assert.isTrue(Equal.equals(value, Data.struct({ a: 1 })))
    assert.strictEqual(printArguments([value]), '{"a":1}')
  })

  it("prints equal lists alike and different ones differently", () => {
    let equal = 0
    fc.assert(
      fc.property(argumentList, argumentList, (left, right) => {
        const same = structurallyEqual(left, right)
        if (same) equal++
        assert.strictEqual(printArguments(left) === printArguments(right), same)
        assert.isString(printArguments(left))
      }),
      { numRuns: runs(350, 1_000) }
    )
    assert.isAbove(equal, 10)
  })

  it("prints a rebuilt value like the original", () => {
    fc.assert(
      fc.property(argument, (original) => {
        const copy = rebuilt(original)
        assert.isTrue(structurallyEqual(original, copy))
        assert.strictEqual(printArguments([copy]), printArguments([original]))
      }),
      { numRuns: runs(150, 400) }
    )
  })

  it("prints a value with one part exchanged like the original only if it is equal", () => {
    let different = 0
    fc.assert(
      fc.property(argument, fc.array(fc.nat(5), { maxLength: 4 }), argument, (original, where, replacement) => {
        const mutated = replacedAt(original, where, replacement)
        const same = structurallyEqual(original, mutated)
        if (!same) different++
        assert.strictEqual(printArguments([original]) === printArguments([mutated]), same)
      }),
      { numRuns: runs(1_000) }
    )
    assert.isAbove(different, 500)
  })

  it("prints any text like JSON", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        assert.strictEqual(printArguments([text]), JSON.stringify(text))
      })
    )
  })

  const cycle: Record<string, unknown> = {}
  cycle["again"] = { cycle }

  const refusals: ReadonlyArray<readonly [ReadonlyArray<unknown>, string]> = [
    [["a", { filter: { fn: () => 1 } }], "argument 2 at .filter.fn is a function: use keyArgs"],
    [[Symbol("s")], "argument 1 is a symbol: use keyArgs"],
    [[[0, [new Plain()]]], "argument 1 at [1][0] is an instance of Plain without a PrimaryKey: use keyArgs"],
    [[/x/], "argument 1 is an instance of RegExp without a PrimaryKey: use keyArgs"],
    [[new Error("x")], "argument 1 is an instance of Error without a PrimaryKey: use keyArgs"],
    [[Object(1)], "argument 1 is an instance of Number without a PrimaryKey: use keyArgs"],
    [[new (class extends Map {})()], "argument 1 is an instance of a class without a PrimaryKey: use keyArgs"],
    [[new (class Rows extends Array {})()], "argument 1 is an instance of Rows without a PrimaryKey: use keyArgs"],
    [[Promise.resolve()], "argument 1 is an instance of Promise without a PrimaryKey: use keyArgs"],
    [[cycle], "argument 1 at .again.cycle refers back to an object that contains it: use keyArgs"],
    [[{ "a b": { [Symbol.iterator]: 1 } }], 'argument 1 at ["a b"] has a symbol for a property name: use keyArgs'],
    [["xay".match(/a/)], "argument 1 is an array with properties of its own: use keyArgs"],
    [[Object.assign(new Array(1), { hole: 1 })], "argument 1 is an array with properties of its own: use keyArgs"],
    ...[new Date(0), new Map(), new Set(), new ArrayBuffer(1), new DataView(new ArrayBuffer(1))].map(
      (extended) =>
        [
          [{ at: Object.assign(extended, { zone: "UTC" }) }],
          "argument 1 at .at is an instance with properties of its own: use keyArgs"
        ] as const
    ),
    [[new Map([["k", () => 1]])], "argument 1 at .value(0) is a function: use keyArgs"],
    [[new Map([[() => 1, 1]])], "argument 1 at .key(0) is a function: use keyArgs"],
    [[new Set([1, () => 1])], "argument 1 at .item(1) is a function: use keyArgs"],
    [[Option.some(() => 1)], "argument 1 at .value is a function: use keyArgs"],
    [[{ [PrimaryKey.symbol]: () => 7 }], "argument 1 has a PrimaryKey that is not a string: use keyArgs"],
    [[Object.create(Map.prototype)], "argument 1 threw when it was read: use keyArgs"],
    [
      [
        {
          get a(): never {
            throw new Error("getter")
          }
        }
      ],
      "argument 1 threw when it was read: use keyArgs"
    ]
  ]

  for (const [args, description] of refusals) {
    it(`says: ${description}`, () => {
      assert.strictEqual(refused(printArguments(args)).description, description)
    })
  }

  it("does not show a secret", () => {
    assert.notInclude(refused(printArguments([Redacted.make("secret")])).message, "secret")
  })

  it("refuses what is nested too deeply, and what unfolds without end", () => {
    let deep: unknown = 1
    for (let level = 0; level < 100_000; level++) deep = [deep]
    assert.include(refused(printArguments([deep])).description, "nested more than 500 levels deep")
    let wide: unknown = 1
    for (let level = 0; level < 60; level++) wide = [wide, wide]
    assert.include(refused(printArguments([wide])).description, "comes after more than 100000 objects")
  })

  it("takes the same object twice, as long as it does not contain itself", () => {
    const shared = { a: 1 }
    assert.strictEqual(printArguments([shared, [shared, shared]]), '{"a":1},[{"a":1},{"a":1}]')
  })
})

describe("printCall", () => {
  it("tells eight lists of arguments apart", () => {
    const lists = [["a b"], ["ab"], ["a", "b"], [["a", "b"]], [1], ["1"], [undefined], []]
    assert.deepStrictEqual(
      lists.map((args) => printCall("f", args)),
      ['f("a b")', 'f("ab")', 'f("a","b")', 'f(["a","b"])', "f(1)", 'f("1")', "f(undefined)", "f()"]
    )
  })

  it("is readable", () => {
    assert.strictEqual(printCall("city", ["lisbon", { page: 2 }]), 'city("lisbon",{"page":2})')
    assert.strictEqual(printEscapedCall(escapeName("100% (city)"), [1]), "100%25 %28city)(1)")
    assert.strictEqual(escapeName("report"), "report")
  })

  it("names the function and the argument in its error", () => {
    assert.strictEqual(
      refused(printCall("city", ["lisbon", () => 1])).message,
      "cacheKey city: argument 2 is a function: use keyArgs (InvalidKey)"
    )
  })

  it("prints different names, arguments and plain effects differently", () => {
    const name = fc.string({
      unit: fc.constantFrom("f", "(", ")", "%", "2", "8", "[", "]", '"', "1", ",", "'"),
      maxLength: 5
    })
    const call = fc.tuple(name, fc.option(fc.array(fc.constantFrom<unknown>("f", 1, "1"), { maxLength: 2 })))
    const print = ([f, args]: readonly [string, ReadonlyArray<unknown> | null]) =>
      args === null ? escapeName(f) : printed(printCall(f, args))
    fc.assert(
      fc.property(call, call, (left, right) => {
        assert.strictEqual(print(left) === print(right), structurallyEqual(left, right))
      }),
      { numRuns: runs(350, 1_000) }
    )
  })
})

describe("printKey", () => {
  it("takes a string as it is, and an array as JSON", () => {
    assert.strictEqual(printKey("user:1"), "user:1")
    assert.strictEqual(printKey(["user", 1]), '["user",1]')
    assert.strictEqual(printKey('["user",1]'), '\'["user",1]')
    assert.strictEqual(printKey('\'["user",1]'), "''[\"user\",1]")
  })

  it("does not take the name of an effect for an array", () => {
    assert.notStrictEqual(escapeName('["user",1]'), printKey(["user", 1]))
    assert.strictEqual(escapeName("[x]"), "%5Bx]")
  })

  it("finds what a cached function stored, by its printed key", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), argumentList, (name, args) => {
        const call = printed(printCall(name, args))
        fc.pre(!/^'+\[/.test(name))
        assert.strictEqual(printKey(call), call)
        assert.strictEqual(printKey(escapeName(name)), escapeName(name))
      })
    )
  })

  it("prints equal keys alike and different ones differently", () => {
    const text = fc.string({ unit: fc.constantFrom("'", "[", "]", '"', "1", ","), minLength: 1, maxLength: 5 })
    const key: fc.Arbitrary<Key> = fc.oneof(
      text,
      fc.array(fc.constantFrom<unknown>(1, "1", "", [], [1]), { minLength: 1, maxLength: 3 })
    )
    const spelledLikeArray = fc
      .array(fc.constantFrom<unknown>(1, "1"), { minLength: 1, maxLength: 2 })
      .map((elements) => JSON.stringify(elements))
    fc.assert(
      fc.property(fc.oneof(key, spelledLikeArray), fc.oneof(key, spelledLikeArray), (left, right) => {
        assert.strictEqual(printed(printKey(left)) === printed(printKey(right)), structurallyEqual(left, right))
      }),
      { numRuns: runs(650, 2_000) }
    )
  })

  const refusals: ReadonlyArray<readonly [Key, string]> = [
    ["", "the key is an empty string"],
    [[], "the key is an empty array"],
    [new Array(2), "the key is an array with holes or properties of its own"],
    [["a", { b: () => 1 }], "element 2 at .b is a function"]
  ]

  for (const [key, description] of refusals) {
    it(`says: ${description}`, () => {
      assert.strictEqual(refused(printKey(key)).description, description)
    })
  }
})
