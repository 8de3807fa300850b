/**
 * What `npm run docs` runs at its end: the search of the built site, in a real browser. It finds what readers ask for, leads to
 * where that stands, and asks no other host.
 */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { Console, Effect } from "effect"
import { preview } from "vite"
import { browser } from "../servers/chromium.js"

const folder = fileURLToPath(new URL("../../docs/.vitepress", import.meta.url))

const words = ["maxStaleness", "stampede", "PgBouncer"]

/** The folder that the site was built for: `npm run docs -- --base /folder/`. */
const base = /src="(\/[^"]*)assets\/app\./.exec(readFileSync(`${folder}/dist/index.html`, "utf8"))?.[1] ?? "/"

const served = Effect.map(
  Effect.acquireRelease(
    Effect.promise(() =>
      preview({
        root: folder,
        base,
        appType: "mpa",
        configFile: false,
        logLevel: "error",
        preview: { host: "127.0.0.1", port: 4750 }
      })
    ),
    (server) => Effect.promise(() => server.close())
  ),
  ({ resolvedUrls }) => resolvedUrls?.local[0] ?? ""
)

const program = Effect.gen(function* () {
  const url = yield* served
  const context = yield* browser
  yield* Effect.promise(async () => {
    const page = await context.newPage()
    const wrong: Array<string> = []
    page.on("pageerror", ({ message }) => wrong.push(message))
    page.on("request", (request) => {
      if (!request.url().startsWith(url) && !request.url().startsWith("data:")) wrong.push(`asks ${request.url()}`)
    })
    for (const word of words) {
      await page.goto(url)
      await page.click(".VPNavBarSearch button")
      await page.fill(".VPLocalSearchBox input", word)
      const hits = page.locator(".VPLocalSearchBox a.result")
      const isFound = await hits
        .first()
        .waitFor({ timeout: 10_000 })
        .then(
          () => true,
          () => false
        )
      if (!isFound) throw new Error(`the search of the site finds nothing for ${word}`)
      const count = await hits.count()
      await hits.first().click()
      await page.waitForURL((address) => address.hash !== "")
      const text = await page.locator("main").innerText()
      if (!text.toLowerCase().includes(word.toLowerCase())) wrong.push(`${page.url()} does not tell of ${word}`)
      await Effect.runPromise(
        Console.log(`search: ${word} is found ${count} times, first in ${page.url().slice(url.length)}`)
      )
    }
    if (wrong.length > 0) throw new Error(`the search of the site:\n${wrong.join("\n")}`)
  })
}).pipe(Effect.scoped)

await Effect.runPromise(program)
