/**
 * The drawings of the documentation. `npm run docs:pictures` writes them beside this file.
 *
 * A file follows the light or dark of the reader's system. The site puts a drawing into its page, where `drawing.css` has its
 * colours, so that it follows the switch of the page.
 */
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const light = {
  ink: "#1f2328",
  soft: "#57606a",
  line: "#8c959f",
  paper: "#ffffff",
  field: "#f0f3f6",
  good: "#1a7f37",
  goodField: "#dafbe1",
  old: "#9a6700",
  oldField: "#fff4c8",
  bad: "#c62a33",
  badField: "#ffebe9",
  work: "#0a60cf",
  workField: "#ddf0ff"
}

const dark: typeof light = {
  ink: "#e6edf3",
  soft: "#9aa4af",
  line: "#6e7681",
  paper: "#1b1b1f",
  field: "#272b33",
  good: "#57d364",
  goodField: "#12361d",
  old: "#e3b341",
  oldField: "#3a2f0b",
  bad: "#ff8078",
  badField: "#4a1c1d",
  work: "#79b8ff",
  workField: "#12304f"
}

const variables = (colours: typeof light): string =>
  Object.entries(colours)
    .map(([name, colour]) => `--d-${name}: ${colour};`)
    .join(" ")

const tones = ["good", "old", "bad", "work"] as const
type Tone = (typeof tones)[number] | "plain"

const rules = [
  ".drawing text { font: 14px system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif; fill: var(--d-ink); }",
  ".drawing .soft { fill: var(--d-soft); font-size: 13px; }",
  ".drawing .strong { font-weight: 600; }",
  ".drawing .box { fill: var(--d-field); stroke: var(--d-line); stroke-width: 1.2; }",
  ".drawing .line { fill: none; stroke: var(--d-line); stroke-width: 1.5; }",
  ".drawing .dashed { stroke-dasharray: 5 4; }",
  ".drawing .head { fill: var(--d-line); }",
  ...tones.flatMap((tone) => [
    `.drawing .box.${tone} { fill: var(--d-${tone}Field); stroke: var(--d-${tone}); }`,
    `.drawing .line.${tone} { stroke: var(--d-${tone}); }`,
    `.drawing .head.${tone} { fill: var(--d-${tone}); }`,
    `.drawing text.${tone} { fill: var(--d-${tone}); }`
  ])
]

/** The colours of a picture by its class, as variables, in the light and dark of the reader's system. */
export const style = (picture: "drawing" | "chart"): string =>
  [
    `.${picture} { ${variables(light)} }`,
    `@media (prefers-color-scheme: dark) { .${picture} { ${variables(dark)} } }`
  ].join("\n")

const escape = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

interface Look {
  readonly tone?: Tone
  readonly kind?: "soft" | "strong"
  readonly anchor?: "start" | "middle" | "end"
  readonly dashed?: boolean
}

const classes = (...names: ReadonlyArray<string | undefined | false>): string =>
  names.filter((name) => name !== undefined && name !== false && name !== "plain").join(" ")

const text = (x: number, y: number, content: string, { anchor = "start", kind, tone }: Look = {}): string => {
  const found = classes(kind, tone)
  return `<text x="${x}" y="${y}" text-anchor="${anchor}"${found === "" ? "" : ` class="${found}"`}>${escape(content)}</text>`
}

/** A box with its lines in the middle, the first of them strong. */
const box = (x: number, y: number, width: number, height: number, lines: ReadonlyArray<string>, tone: Tone = "plain") =>
  [
    `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="6" class="${classes("box", tone)}"/>`,
    ...lines.map((line, index) =>
      text(x + width / 2, y + height / 2 + 5 + (index - (lines.length - 1) / 2) * 18, line, {
        anchor: "middle",
        kind: index === 0 ? "strong" : "soft"
      })
    )
  ].join("\n")

const round = (value: number): number => Math.round(value * 10) / 10

const head = (x: number, y: number, angle: number, tone: Tone): string => {
  const corner = (turn: number) => `${round(x - 9 * Math.cos(angle + turn))},${round(y - 9 * Math.sin(angle + turn))}`
  return `<polygon points="${x},${y} ${corner(0.42)} ${corner(-0.42)}" class="${classes("head", tone)}"/>`
}

/** A line through the points, with a head at its end. */
const arrow = (points: ReadonlyArray<readonly [number, number]>, { dashed = false, tone = "plain" }: Look = {}) => {
  const [x, y] = points.at(-1) ?? [0, 0]
  const [fromX, fromY] = points.at(-2) ?? [0, 0]
  return [
    `<polyline points="${points.map((point) => point.join(",")).join(" ")}" class="${classes("line", tone, dashed && "dashed")}"/>`,
    head(x, y, Math.atan2(y - fromY, x - fromX), tone)
  ].join("\n")
}

const line = (x1: number, y1: number, x2: number, y2: number, { dashed = false, tone = "plain" }: Look = {}): string =>
  `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" class="${classes("line", tone, dashed && "dashed")}"/>`

const picture = (title: string, height: number, ...parts: ReadonlyArray<string>): string =>
  [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 ${height}" width="720" height="${height}" class="drawing">`,
    `<title>${escape(title)}</title>`,
    `<style>\n${[style("drawing"), ...rules].join("\n")}\n</style>`,
    text(10, 24, title, { kind: "strong" }),
    ...parts,
    "</svg>\n"
  ].join("\n")

const middle: Look = { anchor: "middle" }
const softMiddle: Look = { anchor: "middle", kind: "soft" }

/** The states of one key. */
const life = picture(
  "One key’s life",
  300,
  box(10, 40, 110, 56, ["absent", "no value"]),
  box(200, 40, 120, 56, ["leased", "one computes"], "work"),
  box(400, 40, 120, 56, ["fresh", "served"], "good"),
  box(590, 40, 120, 56, ["stale", "served, too"], "old"),
  arrow([
    [120, 68],
    [200, 68]
  ]),
  text(160, 58, "first call", softMiddle),
  arrow([
    [320, 68],
    [400, 68]
  ]),
  text(360, 58, "stored", softMiddle),
  arrow([
    [520, 68],
    [590, 68]
  ]),
  text(555, 58, "ttl ends", softMiddle),
  box(480, 170, 210, 60, ["stale, and leased", "one recomputes, others get it"], "old"),
  arrow([
    [650, 96],
    [650, 170]
  ]),
  text(642, 138, "next call", { anchor: "end", kind: "soft" }),
  arrow([
    [500, 170],
    [500, 96]
  ]),
  text(492, 138, "stored", { anchor: "end", kind: "soft" }),
  arrow(
    [
      [430, 96],
      [430, 258],
      [65, 258],
      [65, 96]
    ],
    { tone: "bad", dashed: true }
  ),
  line(260, 96, 260, 258, { tone: "bad", dashed: true }),
  line(585, 230, 585, 258, { tone: "bad", dashed: true }),
  line(585, 258, 430, 258, { tone: "bad", dashed: true }),
  text(74, 249, "invalidate, from any state", { tone: "bad" }),
  text(10, 286, "After an invalidation the one who computes can no longer store: its lease is gone with the entry.", {
    kind: "soft"
  })
)

/** Lanes of callers over time: who computes, who waits. */
const callers = (y: number, count: number, each: (lane: number, y: number) => string): string =>
  Array.from({ length: count }, (_, lane) => each(lane, y + lane * 22)).join("\n")

const bar = (x: number, y: number, width: number, tone: Tone): string =>
  `<rect x="${x}" y="${y - 8}" width="${width}" height="14" rx="3" class="${classes("box", tone)}"/>`

const stampede = picture(
  "A popular value expires. Six callers of three processes ask for it.",
  430,
  text(10, 58, "Without: each computes", { tone: "bad", kind: "strong" }),
  callers(84, 6, (lane, y) =>
    [
      text(10, y + 4, `caller ${lane + 1}`, { kind: "soft" }),
      line(80, y, 470, y),
      bar(150 + lane * 6, y, 230 + lane * 12, "bad")
    ].join("\n")
  ),
  box(560, 100, 150, 78, ["database", "6 queries at once,", "each slower for it"], "bad"),
  arrow(
    [
      [470, 140],
      [560, 140]
    ],
    { tone: "bad" }
  ),
  line(150, 70, 150, 206, { dashed: true, tone: "old" }),
  text(150, 222, "ttl ends", softMiddle),
  text(10, 256, "With effect-cached: one computes, the others are served the stale value", {
    tone: "good",
    kind: "strong"
  }),
  callers(282, 6, (lane, y) =>
    [
      text(10, y + 4, `caller ${lane + 1}`, { kind: "soft" }),
      line(80, y, 470, y),
      lane === 2 ? bar(162, y, 160, "work") : bar(150 + lane * 6, y, 12, "old"),
      lane === 2 ? "" : bar(345 + lane * 6, y, 12, "good")
    ]
      .filter((part) => part !== "")
      .join("\n")
  ),
  box(560, 292, 150, 68, ["database", "1 query"], "good"),
  arrow(
    [
      [470, 326],
      [560, 326]
    ],
    { tone: "good" }
  ),
  line(150, 268, 150, 402, { dashed: true, tone: "old" }),
  line(322, 268, 322, 402, { dashed: true, tone: "good" }),
  text(150, 420, "stale: no wait", { kind: "soft" }),
  text(322, 420, "fresh again", { kind: "soft" })
)

const invalidation = picture(
  "An invalidation during a computation",
  434,
  box(20, 44, 150, 34, ["process A"]),
  box(285, 44, 150, 34, ["store"]),
  box(550, 44, 150, 34, ["process B"]),
  line(95, 78, 95, 400),
  line(360, 78, 360, 400),
  line(625, 78, 625, 400),
  arrow([
    [95, 106],
    [360, 106]
  ]),
  text(228, 99, "miss: take the lease", softMiddle),
  arrow([
    [360, 132],
    [95, 132]
  ]),
  text(228, 125, "token 7", { ...middle, tone: "work" }),
  box(20, 146, 150, 118, ["computes", "reads the row: 10"], "work"),
  box(550, 160, 150, 40, ["UPDATE: 11", "commit"], "good"),
  arrow(
    [
      [625, 232],
      [435, 232]
    ],
    { tone: "bad" }
  ),
  text(530, 225, "invalidate", { ...middle, tone: "bad" }),
  box(285, 212, 150, 40, ["absent", "lease removed"], "bad"),
  arrow([
    [95, 290],
    [360, 290]
  ]),
  text(228, 283, "store 10, if token 7", softMiddle),
  arrow(
    [
      [360, 316],
      [95, 316]
    ],
    { tone: "bad" }
  ),
  text(228, 309, "refused: discarded", { ...middle, tone: "bad" }),
  arrow([
    [625, 346],
    [360, 346]
  ]),
  text(492, 339, "read", softMiddle),
  arrow([
    [360, 372],
    [625, 372]
  ]),
  text(492, 365, "miss: B computes 11", { ...middle, tone: "good" }),
  text(10, 424, "10 is never stored. Only the callers who had asked A before the invalidation get it.", {
    kind: "soft"
  })
)

const processAt = (x: number, name: string): string =>
  [
    `<rect x="${x}" y="44" width="300" height="128" rx="8" class="line"/>`,
    text(x + 14, 66, name, { kind: "soft" }),
    box(x + 20, 78, 110, 40, ["program"]),
    box(x + 170, 78, 110, 40, ["tier"], "good"),
    arrow(
      [
        [x + 130, 98],
        [x + 170, 98]
      ],
      { tone: "good" }
    ),
    text(x + 150, 140, "a hit: no round trip", { ...middle, tone: "good" })
  ].join("\n")

const tier = picture(
  "A tier: the memory of each process, in front of one shared store",
  330,
  processAt(10, "process 1"),
  processAt(410, "process 2"),
  arrow([
    [235, 172],
    [235, 246]
  ]),
  text(226, 206, "a miss, and every", { anchor: "end", kind: "soft" }),
  text(226, 224, "maxStaleness again", { anchor: "end", kind: "soft" }),
  arrow([
    [635, 172],
    [635, 210],
    [460, 210],
    [460, 246]
  ]),
  box(180, 246, 360, 56, ["shared store", "values, leases, versions of groups"], "work"),
  arrow(
    [
      [310, 110],
      [410, 110]
    ],
    { tone: "old", dashed: true }
  ),
  text(360, 92, "bus:", softMiddle),
  text(360, 132, "“changed”", { ...middle, tone: "old" }),
  text(
    10,
    322,
    "An old value is gone at once here, after a few milliseconds there; without a bus after maxStaleness.",
    { kind: "soft" }
  )
)

/** The files by their names. */
export const files: Readonly<Record<string, string>> = {
  "life.svg": life,
  "stampede.svg": stampede,
  "invalidation.svg": invalidation,
  "tier.svg": tier,
  "drawing.css": `${[
    "/* Written by draw.ts. */",
    `.drawing, .chart { ${variables(light)} }`,
    `.dark .drawing, .dark .chart { ${variables(dark)} }`,
    ...rules
  ].join("\n")}\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(fileURLToPath(new URL(name, import.meta.url)), content)
  }
}
