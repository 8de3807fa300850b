/** The page itself: everything that does not change while it is open. */
import type { Library } from "../library.js"
import { script } from "./script.js"
import { style } from "./style.js"

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;"
}

const escape = (text: string): string => text.replace(/[&<>"']/g, (sign) => escapes[sign] ?? sign)

const counts: ReadonlyArray<readonly [name: string, label: string]> = [
  ["hits", "Hits"],
  ["tierHits", "of them in the tier"],
  ["staleHits", "Stale hits"],
  ["misses", "Misses"],
  ["ratio", "Hit ratio"],
  ["joined", "Joined"],
  ["computed", "Computed"],
  ["failed", "Failed"],
  ["stored", "Stored"],
  ["discarded", "Discarded"],
  ["refused", "Refused"],
  ["undecodable", "Undecodable"],
  ["storeErrors", "Store errors"],
  ["entries", "Entries"],
  ["bytes", "Bytes"],
  ["evictions", "Evictions"]
]

type Series = readonly [name: string, label: string]

const line = ([name, label]: Series, index: number): string => {
  const look = "abc"[index]
  return `<li><i class="${look}" aria-hidden="true"></i>${label} <b data-now="${name}" data-label="${label}">–</b></li>`
}

const noLibrary = `<p class="soft">The charts need the package uplot, which is not beside this program.</p>`

/** The script draws into `plot`, and says there what it shows for those who don't see it. */
const chart = (id: string, title: string, unit: string, plot: string, series: ReadonlyArray<Series>): string =>
  `<figure id="${id}"><figcaption>${title}, <span data-unit>${unit}</span></figcaption>
${plot}
<p class="soft" data-at>Now</p>
<ul class="legend">${series.map(line).join("")}</ul>
</figure>`

const table = (id: string, title: string, columns: ReadonlyArray<string>, empty: string): string =>
  `<section><div class="scroll" id="${id}-box" tabindex="0" role="region" aria-label="${title}">
<table id="${id}"><caption>${title}</caption>
<thead><tr>${columns.map((column) => `<th scope="col">${column}</th>`).join("")}</tr></thead><tbody></tbody></table>
<p class="soft" data-more="${id}">${empty}</p></div></section>`

const form = (id: string, label: string, example: string, button: string): string =>
  `<form id="${id}"><div><label for="${id}-name">${label}</label>
<input id="${id}-name" name="name" placeholder="${escape(example)}" required autocomplete="off" autocapitalize="off" spellcheck="false" maxlength="2000"></div>
<button>${button}</button></form>`

const invalidation = `<section><h2>Invalidate</h2>
${form("delete", "Key", 'city("lisbon")', "Invalidate key")}
${form("invalidateGroup", "Group", "cities", "Invalidate group")}
<p class="answer" id="invalidated" role="status"></p></section>`

export interface PageOptions {
  readonly title: string
  readonly subtitle: string
  readonly token: string
  readonly mayInvalidate: boolean
  readonly hasTier: boolean
  /** Whether the store is on a network, and so has a latency. */
  readonly hasLatency: boolean
  /** Without it there are no charts. */
  readonly library: Library | undefined
}

/** A page with the texts of its scripts and styles, which its policy names. */
export interface Page {
  readonly html: string
  readonly scripts: ReadonlyArray<string>
  readonly styles: ReadonlyArray<string>
}

const within = (tag: string, texts: ReadonlyArray<string>): string =>
  texts.map((text) => `<${tag}>${text}</${tag}>`).join("\n")

export const page = (options: PageOptions): Page => {
  const { library } = options
  const scripts = library === undefined ? [script] : [library.script, script]
  const styles = library === undefined ? [style] : [library.style, style]
  return { html: htmlOf(options, within("script", scripts), within("style", styles)), scripts, styles }
}

const htmlOf = (
  { hasLatency, hasTier, library, mayInvalidate, subtitle, title, token }: PageOptions,
  scripts: string,
  styles: string
): string => {
  const plot = library === undefined ? noLibrary : `<div class="plot" role="img"></div>`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="token" content="${escape(token)}">
<link rel="icon" href="data:,">
<title>${escape(title)}</title>
${styles}
</head>
<body>
<header><h1>${escape(title)}</h1><p class="soft">${escape(subtitle)}</p>
<div class="status"><span id="state" data-state="waiting" role="status">Connecting</span><button id="pause" type="button">Pause</button></div></header>
<main>
<noscript><section>This page needs JavaScript.</section></noscript>
<section><h2>Since the start</h2><dl class="counts">${counts
    .filter(([name]) => hasTier || name !== "tierHits")
    .map(([name, label]) => `<div><dt>${label}</dt><dd data-count="${name}">–</dd></div>`)
    .join("")}</dl></section>
<div class="charts">
${chart("answers", "Answers", "a second", plot, [
  ["hits", "hits"],
  ["staleHits", "stale"],
  ["misses", "misses"]
])}
${chart("computations", "Computations", "a second", plot, [
  ["computed", "computed"],
  ["joined", "joined"],
  ["failed", "failed"]
])}
${hasLatency ? chart("latency", "One read of the store", "milliseconds", plot, [["latency", "latest"]]) : ""}
</div>
${table(
  "functions",
  "Functions",
  [
    "Name",
    "Calls",
    "Hit ratio",
    "Stale",
    "Joined",
    "Computed",
    "p50, ms",
    "p95, ms",
    "Failed",
    "Store errors",
    "Entries here"
  ],
  "Nothing was called yet."
)}
<div class="pair">
${table("computing", "Computing now", ["Key", "Since", "Waiting callers"], "Nothing.")}
${table("breakers", "Circuit breakers", ["Of", "State"], "None: the store is in this process, or has not failed yet.")}
</div>
<div class="pair">
<section><h2>Look up a key</h2>
${form("inspect", "Key, as f.cacheKey(…) prints it", 'city("lisbon")', "Look up")}
<p class="answer" id="inspected" role="status"></p></section>
${mayInvalidate ? invalidation : ""}
</div>
</main>
${scripts}
</body>
</html>
`
}
