/** The view as a browser or another program asks it, without a server in between. */
import { HttpApp } from "@effect/platform"
import { Effect } from "effect"
import { CacheBackend, type CacheBackendService } from "effect-cached"
import * as Dashboard from "effect-cached/Dashboard"

export type Ask = (init?: RequestInit & { readonly path?: string }) => Promise<Response>

export const host = "cache.example:8080"
export const origin = `http://${host}`

/** Asks the view of this cache; `headers` are added to those that a browser sends. */
export const asking = (cache: CacheBackendService, options?: Dashboard.DashboardOptions): Ask => {
  const handler = HttpApp.toWebHandler(Effect.provideService(Dashboard.httpApp(options), CacheBackend, cache))
  return ({ path = "/", ...init } = {}) =>
    handler(
      new Request(`${origin}${path}`, { ...init, headers: { host, ...Object.fromEntries(new Headers(init.headers)) } })
    )
}

export const tokenIn = (html: string): string => /<meta name="token" content="([^"]+)">/.exec(html)?.[1] ?? ""

/** As the page posts. */
export const post = (ask: Ask, token: string, body: unknown, headers: Record<string, string> = { origin }) =>
  ask({
    method: "POST",
    headers: { "content-type": "application/json", "x-dashboard-token": token, ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body)
  })

// biome-ignore lint/suspicious/noExplicitAny: what the page reads is checked field by field
export type Sample = any

/** Looks, and returns what comes, one sample at a time. */
export const looking = async (ask: Ask) => {
  const response = await ask({ path: "/?events" })
  const reader = response.body?.getReader()
  if (reader === undefined) throw new Error("the answer has no body")
  const decoder = new TextDecoder()
  let text = ""
  return {
    response,
    next: async (): Promise<Sample> => {
      while (true) {
        const end = text.indexOf("\n\n")
        if (end >= 0) {
          const message = text.slice(0, end)
          text = text.slice(end + 2)
          return JSON.parse(
            message
              .split("\n")
              .find((line) => line.startsWith("data: "))
              ?.slice(6) ?? ""
          )
        }
        const { done, value } = await reader.read()
        if (done) return undefined
        text += decoder.decode(value)
      }
    },
    leave: () => reader.cancel()
  }
}
