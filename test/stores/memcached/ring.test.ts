/**
 * Against the published tables of ketama's reference (libketama 1.0 through its Python binding) and of libmemcached, as the test
 * suite of https://github.com/3rd-Eden/node-hashring has them (MIT).
 */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import { Either } from "effect"
import { Client } from "memjs"
import { makeRing } from "../../../src/internal/stores/memcached/client/Ring.js"
import { parseServers, type ServerAddress } from "../../../src/internal/stores/memcached/client/Servers.js"

const table = (name: string): string => readFileSync(new URL(`tables/${name}`, import.meta.url), "utf8")

const server = (label: string, weight: number): ServerAddress => ({ host: label, port: 0, label, weight })

const keys = Array.from({ length: 20_000 }, (_, index) => `v1:shop:product(${index})`)

const pool = (size: number) => Array.from({ length: size }, (_, index) => server(`10.0.0.${index}:11211`, 1))

const moved = (before: (key: string) => unknown, after: (key: string) => unknown): number =>
  keys.filter((key) => before(key) !== after(key)).length / keys.length

describe("the ring", () => {
  it("puts keys where ketama's reference does, weights included", () => {
    const servers = [1, 2, 3, 4, 5].map((part) => server(`0.0.0.${part}`, part))
    const ring = makeRing(servers)
    // One digit for each of the keys 0 to 99,999: the last part of the server's address.
    const expected = [...table("ketama.txt").replaceAll("\n", "")]
    expect(expected.length).toBe(100_000)
    const wrong = expected.flatMap((part, key) => {
      const { label } = servers[ring.primary(`${key}`)] ?? {}
      return label === `0.0.0.${part}` ? [] : [`${key}: ${label} and not 0.0.0.${part}`]
    })
    expect(wrong).toEqual([])
  })

  it("puts keys where libmemcached does", () => {
    const weights = [600, 300, 200, 350, 1000, 800, 950, 100]
    const servers = weights.map((weight, index) => server(`10.0.1.${index + 1}`, weight))
    const ring = makeRing(servers)
    const expected: ReadonlyArray<readonly [string, number, number, string]> = JSON.parse(table("libmemcached.json"))
    expect(expected.length).toBeGreaterThan(90)
    expect(expected.filter(([key, , , label]) => servers[ring.primary(key)]?.label !== label)).toEqual([])
  })

  it("moves one key in n + 1 when a server joins; memjs moves nearly all", () => {
    for (const size of [1, 2, 3, 5, 10]) {
      const before = makeRing(pool(size))
      const after = makeRing(pool(size + 1))
      const share = moved(before.primary, after.primary)
      expect(share).toBeGreaterThan(0.5 / (size + 1))
      expect(share).toBeLessThan(1.6 / (size + 1))
      // Only the server that joined got any.
      expect(keys.every((key) => before.primary(key) === after.primary(key) || after.primary(key) === size)).toBe(true)
    }
    const bare = (size: number) =>
      Client.create(
        pool(size)
          .map(({ label }) => label)
          .join(",")
      )
    const [three, four] = [bare(3), bare(4)]
    expect(
      moved(
        (key) => three.getServer(key),
        (key) => four.getServer(key)
      )
    ).toBeGreaterThan(0.7)
  })

  it("does not care about the order of the servers", () => {
    const servers = pool(5)
    const turned = [...servers].reverse()
    const [one, other] = [makeRing(servers), makeRing(turned)]
    expect(keys.every((key) => servers[one.primary(key)] === turned[other.primary(key)])).toBe(true)
  })

  it("gives shares by weight, and each key an order of all servers", () => {
    const ring = makeRing([server("a:1", 1), server("b:1", 3)])
    const share = keys.filter((key) => ring.primary(key) === 1).length / keys.length
    expect(share).toBeGreaterThan(0.6)
    expect(share).toBeLessThan(0.9)
    const five = makeRing(pool(5))
    for (const key of keys.slice(0, 200)) {
      const order = five.order(key)
      expect(order[0]).toBe(five.primary(key))
      expect([...order].sort()).toEqual([0, 1, 2, 3, 4])
    }
  })
})

describe("the list of servers", () => {
  const parsed = (text: string) => Either.getOrThrow(parseServers(text))

  it("takes hosts, ports, weights and IPv6 addresses", () => {
    expect(parsed("10.0.0.1:11212, cache.internal ,[::1]:11213:4,[fe80::1%eth0]")).toEqual([
      { host: "10.0.0.1", port: 11212, weight: 1, label: "10.0.0.1:11212" },
      { host: "cache.internal", port: 11211, weight: 1, label: "cache.internal:11211" },
      { host: "::1", port: 11213, weight: 4, label: "[::1]:11213" },
      { host: "fe80::1%eth0", port: 11211, weight: 1, label: "[fe80::1%eth0]:11211" }
    ])
  })

  it("refuses what is no server", () => {
    for (const text of [
      "",
      " , ",
      "a:0",
      "a:70000",
      "a:x",
      "::1:11211",
      "a:1:0",
      "a:1,a:1",
      "user:pw@a:1",
      "http://a"
    ]) {
      expect(Either.isLeft(parseServers(text)), text).toBe(true)
    }
  })
})
