/** The live view over a real server, in a real browser. */
import { createServer } from "node:http"
import { HttpRouter, HttpServer } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Exit, Layer, Scope } from "effect"
import * as Dashboard from "effect-cached/Dashboard"
import type { BrowserContext, Page } from "playwright-core"
import { afterAll } from "vitest"
import { launched, profileOf } from "../servers/chromium.js"
import { eventually } from "../suites/cached/ground.js"

export const path = "/admin/cache"

/** To be called by a test file: one browser for its tests, each of which has a profile of its own. */
export const browserOfFile = (): Effect.Effect<BrowserContext, Error, Scope.Scope> => {
  const scope = Effect.runSync(Scope.make())
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  return Effect.flatMap(Effect.runSync(Effect.cached(Scope.extend(launched([]), scope))), profileOf)
}

/**
 * Before the browser, which so ends first: it keeps connections in stock. Under a path, as a program mounts it, with and without
 * the slash behind it.
 */
export const serve = (options?: Dashboard.DashboardOptions, port = 0) =>
  Effect.gen(function* () {
    const router = HttpRouter.empty.pipe(HttpRouter.mountApp(path, Dashboard.httpApp(options)))
    const context = yield* Layer.build(
      Layer.provideMerge(HttpServer.serve(router), NodeHttpServer.layer(createServer, { port, host: "127.0.0.1" }))
    )
    const address = yield* Effect.provide(HttpServer.addressFormattedWith(Effect.succeed), context)
    return `${address}${path}`
  })

/** A page, what its script did wrong or its policy has refused, and what it has asked for. */
export const visit = (context: BrowserContext, url: string) =>
  Effect.gen(function* () {
    const page = yield* Effect.acquireRelease(
      Effect.promise(() => context.newPage()),
      (page) => Effect.promise(() => page.close())
    )
    const errors: Array<string> = []
    const asked: Array<string> = []
    page.on("pageerror", ({ message }) => errors.push(message))
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) errors.push(message.text())
    })
    page.on("request", (request) => asked.push(request.url()))
    // This text runs in the page. Its message is one of the errors above: a browser need not report a refusal by itself.
    yield* Effect.promise(() =>
      page.addInitScript(
        `addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => console.error("refused by the policy", violatedDirective, blockedURI))`
      )
    )
    yield* Effect.promise(() => page.goto(url))
    return { page, errors, asked }
  })

/** Runs in the page. A text: the types of a browser are not those of this program. */
export const inPage = <A>(page: Page, script: string): Effect.Effect<A> => Effect.promise(() => page.evaluate(script))

/** Asks the page again and again, until its answer is right. */
export const until = <A>(page: Page, script: string, isRight: (answer: A) => boolean): Effect.Effect<A> =>
  eventually(Effect.delay(inPage<A>(page, script), "20 millis"), isRight)

export const says = (page: Page, selector: string, text: string) =>
  until<string | undefined>(
    page,
    `document.querySelector(${JSON.stringify(selector)})?.textContent`,
    (found) => found === text
  )

export const submit = (page: Page, form: string, name: string) =>
  Effect.promise(async () => {
    await page.fill(`#${form}-name`, name)
    await page.press(`#${form}-name`, "Enter")
  })

export const textOf = (page: Page, selector: string) => Effect.promise(() => page.locator(selector).allTextContents())
