/** What is made for the site without building it: the drawings, and the check that it loads nothing from other hosts. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { refuseDead, refuseForeign } from "../../docs/.vitepress/checks.js"
import { files } from "../../docs/pictures/draw.js"
import { text } from "./pages.js"

it.each(Object.entries(files))("the drawing %s is what its program draws: npm run docs:pictures", (name, content) => {
  assert.strictEqual(text(`docs/pictures/${name}`), content)
})

it("a site that loads from other hosts is refused, one with links to them is not", () => {
  const folder = mkdtempSync(join(tmpdir(), "site-"))
  const complaint = (file: string, content: string): string | undefined => {
    mkdirSync(join(folder, "assets"), { recursive: true })
    writeFileSync(join(folder, file), content)
    try {
      refuseForeign(folder)
      return undefined
    } catch (error) {
      return `${error}`
    } finally {
      rmSync(join(folder, file))
    }
  }
  try {
    for (const [file, content] of [
      ["index.html", '<script type="module" src="https://cdn.example.com/a.js"></script>'],
      ["index.html", '<link rel="stylesheet" href="//fonts.example.com/inter.css">'],
      ["index.html", '<img alt="" src="http://example.com/a.png">'],
      ["assets/style.css", "@font-face { src: url(https://example.com/a.woff2) }"],
      ["assets/style.css", '@import "https://example.com/a.css";'],
      ["assets/app.js", 'fetch("https://example.com/search")']
    ] as const) {
      assert.match(complaint(file, content) ?? "accepted", /would load from other hosts:[\s\S]*example\.com/, content)
    }
    assert.isUndefined(
      complaint("index.html", '<a href="https://effect.website">Effect</a><script src="/a.js"></script>')
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
})

it("a navigation that leads to a page which is not there is refused", () => {
  const folder = mkdtempSync(join(tmpdir(), "site-"))
  try {
    mkdirSync(join(folder, "api"))
    writeFileSync(join(folder, "api", "index.html"), "")
    writeFileSync(join(folder, "faq.html"), "")
    refuseDead(folder, { nav: [{ link: "/faq" }], sidebar: { "/api/": [{ items: [{ link: "/api/" }] }] } })
    assert.throws(() => refuseDead(folder, { nav: [{ link: "/faq" }, { link: "/testing" }] }), /not there: testing/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
