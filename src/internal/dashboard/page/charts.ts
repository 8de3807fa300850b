/** The lines over time: paths of SVG. A figure a second, for five minutes. */
export const charts = `
/** Seconds. The charts begin with the shorter span, and have the longer one when there is so much to show. */
const least = 60
const most = 300
const history = []
let latest

const rate = (name) => (one) => one.rates[name]
const lineOf = { latency: (one) => one.latency }

/** The next 1, 2 or 5 with zeros behind it. */
const ceiling = (value) => {
  if (value <= 1) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value)
}

const short = (value) => (value === undefined ? "–" : value >= 1000 ? count(Math.round(value)) : String(Math.round(value * 10) / 10))

const draw = (figure) => {
  const lines = [...figure.querySelectorAll("[data-line]")].map((path) => {
    const read = lineOf[path.dataset.line] || rate(path.dataset.line)
    return { path, values: history.map(read) }
  })
  const top = ceiling(Math.max(0, ...lines.flatMap(({ values }) => values.filter((value) => value !== undefined))))
  const span = Math.max(least, history.length)
  write(figure.querySelector("[data-top]"), count(top))
  write(figure.querySelector("[data-span]"), span < 120 ? span + " seconds ago" : Math.floor(span / 60) + " minutes ago")
  for (const { path, values } of lines) {
    let d = ""
    let isGap = true
    values.forEach((value, index) => {
      if (value === undefined) { isGap = true; return }
      const x = (span - values.length + index + 1) * (300 / span)
      d += (isGap ? "M" : "L") + x.toFixed(1) + " " + (100 - (value / top) * 100).toFixed(1)
      isGap = false
    })
    path.setAttribute("d", d)
    write(figure.querySelector('[data-now="' + path.dataset.line + '"]'), short(values[values.length - 1]))
  }
}

const showCharts = (sample) => {
  const seconds = latest === undefined ? 0 : (sample.time - latest.time) / 1000
  if (seconds > 0) {
    const rates = {}
    for (const name of Object.keys(sample.counts)) rates[name] = Math.max(0, (sample.counts[name] - latest.counts[name]) / seconds)
    const { latency } = sample
    // What was not seen stays a gap.
    for (let missing = Math.min(most, Math.round(seconds) - 1); missing > 0; missing--) history.push({ rates: {} })
    history.push({ rates, latency: latency === null || latency.millis === undefined ? undefined : latency.millis })
    history.splice(0, history.length - most)
  }
  latest = sample
  for (const figure of document.querySelectorAll("figure")) draw(figure)
  if (sample.latency !== null && sample.latency.failure !== undefined) write(document.querySelector('[data-now="latency"]'), "failed: " + sample.latency.failure)
}
`
