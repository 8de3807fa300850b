/** The page itself: everything that does not change while it is open. */
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
  return `<li><svg viewBox="0 0 22 8" aria-hidden="true"><path class="${look}" d="M0 4H22"/></svg>${label} <output data-now="${name}" aria-live="off">–</output></li>`
}

const chart = (id: string, title: string, unit: string, series: ReadonlyArray<Series>): string =>
  `<figure id="${id}"><figcaption>${title}</figcaption>
<div class="axis"><span data-top>–</span><span>${unit}</span></div>
<svg viewBox="0 0 300 100" preserveAspectRatio="none" role="img" aria-label="${title} over time">
<line x1="0" y1="0" x2="300" y2="0"/><line x1="0" y1="50" x2="300" y2="50"/><line x1="0" y1="100" x2="300" y2="100"/>
${series.map(([name], index) => `<path class="${"abc"[index]}" data-line="${name}"/>`).join("")}
</svg>
<div class="axis"><span data-span>1 minute ago</span><span>now</span></div>
<ul class="legend">${series.map(line).join("")}</ul>
</figure>`

const table = (id: string, title: string, columns: ReadonlyArray<string>, empty: string, look = ""): string =>
  `<section><div class="scroll ${look}" tabindex="0" role="region" aria-label="${title}">
<table id="${id}"><caption>${title}</caption>
<thead><tr>${columns.map((column) => `<th scope="col">${column}</th>`).join("")}</tr></thead><tbody></tbody></table></div>
<p class="soft" data-more="${id}">${empty}</p></section>`

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
  readonly token: string
  readonly mayInvalidate: boolean
  readonly hasTier: boolean
  /** Whether the store is on a network, and so has a latency. */
  readonly hasLatency: boolean
}

export const page = ({ hasLatency, hasTier, mayInvalidate, title, token }: PageOptions): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="token" content="${escape(token)}">
<link rel="icon" href="data:,">
<title>${escape(title)}</title>
<style>${style}</style>
</head>
<body>
<header><h1>${escape(title)}</h1><p class="soft" id="store"></p>
<div class="status"><span id="state" data-state="waiting" role="status">Connecting</span><button id="pause" type="button">Pause</button></div></header>
<main>
<noscript><section>This page needs JavaScript.</section></noscript>
<section><h2>Since the start</h2><dl class="counts">${counts
  .filter(([name]) => hasTier || name !== "tierHits")
  .map(([name, label]) => `<div><dt>${label}</dt><dd data-count="${name}">–</dd></div>`)
  .join("")}</dl></section>
<div class="charts">
${chart("answers", "Answers", "a second", [
  ["hits", "hits"],
  ["staleHits", "stale"],
  ["misses", "misses"]
])}
${chart("computations", "Computations", "a second", [
  ["computed", "computed"],
  ["joined", "joined"],
  ["failed", "failed"]
])}
${hasLatency ? chart("latency", "One read of the store", "milliseconds", [["latency", "latest"]]) : ""}
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
${table("computing", "Computing now", ["Key", "Since", "Waiting callers"], "Nothing.", "fixed")}
${table("breakers", "Circuit breakers", ["Of", "State"], "None: the store is in this process, or has not failed yet.")}
</div>
<div class="pair">
<section><h2>Look up a key</h2>
${form("inspect", "Key, as f.cacheKey(…) prints it", 'city("lisbon")', "Look up")}
<p class="answer" id="inspected" role="status"></p></section>
${mayInvalidate ? invalidation : ""}
</div>
</main>
<script>${script}</script>
</body>
</html>
`
