/** Two functions under one key on one layer. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { cached, MemoryBackend } from "effect-cached"

const collecting = (lines: Array<string>) =>
  Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ message }) => {
      lines.push(String(Array.isArray(message) ? message[0] : message))
    })
  )

const withLines = (lines: Array<string>) => Effect.provide(Layer.merge(MemoryBackend.layer(), collecting(lines)))

describe("two functions with one key", () => {
  it.effect("are warned about once, and both are named", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      const loadUser = (id: number) => Effect.succeed(`user ${id}`)
      const loadOrder = (id: number) => Effect.succeed(`order ${id}`)
      const user = cached(loadUser, { key: "byId" })
      const order = cached(loadOrder, { key: "byId" })
      expect(yield* user(1)).toBe("user 1")
      expect(lines).toEqual([])
      expect(yield* order(1)).toBe("user 1")
      for (let n = 0; n < 100; n++) yield* Effect.zip(order(n), user(n))
      expect(lines).toHaveLength(1)
      expect(lines[0]).toContain('"byId"')
      expect(lines[0]).toContain("loadUser: (id) =>")
      expect(lines[0]).toContain("loadOrder: (id) =>")
    }).pipe(withLines(lines))
  })

  it.effect("each pair has its own warning, and a computed value or an argument stands in none", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      for (const key of ["a", "b"]) {
        yield* cached((secret: string) => Effect.succeed(`first ${secret}`), { key })("hunter2")
        yield* cached((secret: string) => Effect.succeed(`second ${secret}`), { key })("hunter2")
        yield* cached((secret: string) => Effect.succeed(`third ${secret}`), { key })("hunter2")
      }
      expect(lines.map((line) => line.slice(0, 29))).toEqual([
        'Two functions have the key "a',
        'Two functions have the key "b'
      ])
      expect(lines.join()).not.toContain("hunter2")
    }).pipe(withLines(lines))
  })

  it.effect("one function made again and again, with other closures, is not warned about", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      for (let n = 0; n < 1_000; n++) {
        const handler = cached((id: number) => Effect.succeed(id + n), { key: "handler", ttl: n + 1 })
        yield* handler(n)
        yield* Effect.succeed(n).pipe(cached({ key: "effect" }))
        yield* cached(Effect.succeed("another effect"), { key: "effect" })
      }
      expect(lines).toEqual([])
    }).pipe(withLines(lines))
  })

  it.effect("nor are a function and an effect, and functions of different layers", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      yield* cached(() => Effect.succeed("function"), { key: "a" })()
      yield* cached(Effect.succeed("effect"), { key: "a" })
      yield* cached((_: number) => Effect.succeed(1), { key: "b" })(1).pipe(Effect.provide(MemoryBackend.layer()))
      yield* cached((_: number) => Effect.succeed(2), { key: "b" })(1).pipe(Effect.provide(MemoryBackend.layer()))
      expect(lines).toEqual([])
    }).pipe(withLines(lines))
  })
})

describe("arguments that are changed while they are computed with", () => {
  it.effect("are warned about once a minute", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      const f = cached(
        (of: { tenant: string }) =>
          Effect.sync(() => {
            of.tenant += "!"
          }),
        { key: "docs" }
      )
      for (let n = 0; n < 100; n++) yield* f({ tenant: "acme" })
      expect(lines).toHaveLength(1)
      expect(lines[0]).toContain('The arguments of docs({"tenant":"acme"}) were changed while it was computed')
    }).pipe(withLines(lines))
  })

  it.effect("a failure is not shared either", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      let runs = 0
      const f = cached(
        (of: { tenant: string }) =>
          Effect.suspend(() => {
            if (++runs > 1) return Effect.succeed(of.tenant)
            of.tenant = "umbrella"
            return Effect.zipRight(Effect.yieldNow(), Effect.fail(`${of.tenant} is not allowed`))
          }),
        { key: "docs" }
      )
      const [first, second] = yield* Effect.all(
        [Effect.either(f({ tenant: "acme" })), Effect.either(f({ tenant: "acme" }))],
        { concurrency: "unbounded" }
      )
      expect(first).toMatchObject({ _tag: "Left", left: "umbrella is not allowed" })
      expect(second).toMatchObject({ _tag: "Right", right: "acme" })
    }).pipe(withLines(lines))
  })
})
