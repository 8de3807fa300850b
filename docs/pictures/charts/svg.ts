/**
 * A chart of Vega-Lite as a file in the manner of the drawings: transparent, in the colours of the reader's system, its light and dark
 * in the file itself. Text is taken for as wide as it is long, so a chart comes out the same on every machine.
 */
import * as vega from "vega"
import { compile, type TopLevelSpec } from "vega-lite"
import { style } from "../draw.js"

/** Variables of `drawing.css`. */
export const colour = (name: "ink" | "soft" | "line" | "field" | "good" | "old" | "bad" | "work"): string =>
  `var(--d-${name})`

// Vega's types do not have it.
const { textMetrics } = vega as unknown as {
  readonly textMetrics: {
    width: (item: { readonly fontSize?: number }, text: string) => number
  }
}
textMetrics.width = ({ fontSize = 11 }, text) => Math.round(`${text}`.length * fontSize * 0.58)

const font = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"

const config: TopLevelSpec["config"] = {
  background: "transparent",
  font,
  aria: false,
  view: { stroke: null },
  title: {
    color: colour("ink"),
    subtitleColor: colour("soft"),
    fontSize: 15,
    subtitleFontSize: 12,
    anchor: "start",
    offset: 14
  },
  axis: {
    labelColor: colour("ink"),
    titleColor: colour("soft"),
    domainColor: colour("line"),
    tickColor: colour("line"),
    gridColor: colour("field"),
    labelFontSize: 12,
    titleFontSize: 12,
    titleFontWeight: "normal",
    labelLimit: 0
  },
  header: { labelColor: colour("soft"), titleColor: colour("soft"), labelFontSize: 12, titleFontSize: 12 },
  legend: {
    labelColor: colour("ink"),
    titleColor: colour("soft"),
    labelFontSize: 12,
    labelLimit: 0,
    orient: "bottom",
    direction: "horizontal",
    title: null
  },
  text: { color: colour("ink"), fontSize: 12 }
}

export interface Chart {
  readonly title: string
  /** How it was measured: a line or two. */
  readonly subtitle: string | ReadonlyArray<string>
  readonly spec: object
}

const escape = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

/** @param name its own in a page, for the ids of its parts */
export const svgOf = async (name: string, { spec, subtitle, title }: Chart): Promise<string> => {
  vega.resetSVGDefIds()
  // The charts are plain objects, whose literals would have to be narrowed everywhere; `compile` checks them.
  const full = { ...spec, title: { text: title, subtitle }, config, padding: 6 } as TopLevelSpec
  const view = new vega.View(vega.parse(compile(full).spec), { renderer: "none" })
  const svg = await view.toSVG()
  view.finalize()
  const look = `<title>${escape(title)}</title>\n<style>\n${style("chart")}\n</style>`
  return `${svg
    // what is not painted, and what only scripts and style sheets would need
    .replaceAll(
      /<path class="(?:background|foreground)" aria-hidden="true" d="[^"]*"(?: display="none"| pointer-events="none")*\/>/g,
      ""
    )
    .replaceAll(/ (?:role|aria-[a-z]+|pointer-events)="[^"]*"| class="(?!marks")[^"]*"/g, "")
    .replace(/<svg ([^>]*)class="marks"([^>]*)>/, `<svg $1class="chart"$2>\n${look}\n`)
    .replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "")
    .replaceAll(/(id="|url\(#)(clip|gradient)/g, `$1${name}-$2`)
    .replaceAll("><g", ">\n<g")}\n`
}
