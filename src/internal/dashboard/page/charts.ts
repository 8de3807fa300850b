/** The lines over time, drawn by uPlot: a figure a second, for five minutes. */
export const charts = `
/** Milliseconds. The charts begin with the shorter span, and have the longer one when there is so much to show. */
const least = 60000
const most = 300000
const height = 170
/** What was seen, the oldest first. A name without a figure is a gap in its line. */
const history = []
let latest

const looks = [["--a", []], ["--b", [7, 3]], ["--c", [2, 3]]]
/** Asked for whenever something is drawn, so that a chart follows light and dark. */
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" })
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 })
const short = (value) => (value === null ? "–" : value >= 1000 ? count(Math.round(value)) : String(Math.round(value * 10) / 10))

const span = () => (history.length === 0 ? least : Math.min(most, Math.max(least, history[history.length - 1].time - history[0].time)))

const axis = { stroke: () => colour("--soft"), grid: { stroke: () => colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" }

const optionsFor = (chart) => ({
  width: chart.plot.clientWidth,
  height,
  padding: [8, 12, 0, 0],
  ms: 1,
  legend: { show: false },
  select: { show: false },
  cursor: { y: false, drag: { x: false, y: false }, sync: { key: "time" } },
  scales: {
    x: { range: (_, first, last) => [last - span(), last] },
    y: { range: (_, least, top) => [0, top > 0 ? top * 1.1 : 1] }
  },
  axes: [
    { ...axis, space: 80, size: 26, values: (_, times) => times.map((time) => clock.format(time)) },
    { ...axis, space: 32, size: 50, values: (_, values) => values.map((value) => compact.format(value)) }
  ],
  series: [{}, ...chart.names.map((name, index) => {
    const [tone, dash] = looks[index]
    return { label: name, width: 2, dash, stroke: () => colour(tone), points: { show: false } }
  })],
  hooks: { setCursor: [() => tell(chart)] }
})

const chartOf = (figure) => {
  const named = [...figure.querySelectorAll("[data-now]")]
  return {
    figure,
    plot: figure.querySelector(".plot"),
    title: figure.querySelector("figcaption").textContent,
    at: figure.querySelector("[data-at]"),
    names: named.map((node) => node.dataset.now),
    nodes: named
  }
}
const drawn = [...document.querySelectorAll("figure")].map(chartOf)

const valuesOf = (name) => history.map(({ values }) => (values[name] === undefined ? null : values[name]))

/** The figures below a chart: the latest, or those at the time that is pointed at. */
const tell = (chart) => {
  const pointed = chart.lines === undefined ? null : chart.lines.cursor.idx
  const isNow = pointed === null || pointed === undefined
  const seen = history[isNow ? history.length - 1 : pointed]
  write(chart.at, isNow || seen === undefined ? "Now" : "At " + clock.format(seen.time))
  chart.names.forEach((name, index) => {
    const { failure } = seen === undefined ? {} : seen
    const value = seen === undefined || seen.values[name] === undefined ? null : seen.values[name]
    write(chart.nodes[index], name === "latency" && failure !== undefined ? "failed: " + failure : short(value))
  })
}

/** For those who don't see the picture. */
const describeChart = (chart) => {
  const lines = chart.names.map((name, index) => {
    const values = valuesOf(name)
    return chart.nodes[index].dataset.label + " " + short(values.length === 0 ? null : values[values.length - 1]) + " now, " + short(Math.max(0, ...values)) + " at most"
  })
  chart.plot.setAttribute("aria-label", chart.title + ", of the last " + Math.round(span() / 1000) + " seconds: " + lines.join("; "))
}

const draw = (chart) => {
  tell(chart)
  if (chart.plot === null) return
  const data = [history.map(({ time }) => time), ...chart.names.map(valuesOf)]
  if (chart.lines === undefined) {
    chart.lines = new uPlot(optionsFor(chart), data, chart.plot)
    new ResizeObserver(() => chart.lines.setSize({ width: chart.plot.clientWidth, height })).observe(chart.plot)
  } else chart.lines.setData(data)
  describeChart(chart)
}

const remember = (sample) => {
  const { counts, latency, time } = sample
  const before = latest
  latest = sample
  if (before === undefined || time <= before.time) return
  const seconds = (time - before.time) / 1000
  const hasBegunAnew = Object.keys(counts).some((name) => counts[name] < before.counts[name])
  // What was not seen is a gap.
  if (hasBegunAnew || seconds > 3) history.push({ time: before.time + 1, values: {} })
  const values = {}
  if (!hasBegunAnew) for (const name of Object.keys(counts)) values[name] = (counts[name] - before.counts[name]) / seconds
  if (latency !== null && latency.millis !== undefined) values.latency = latency.millis
  history.push({ time, values, failure: latency === null ? undefined : latency.failure })
}

const showCharts = (sample) => {
  // The clock of the server was set back.
  if (latest !== undefined && sample.time < latest.time) history.length = 0
  remember(sample)
  while (history.length > 0 && history[0].time < sample.time - most) history.shift()
  drawn.forEach(draw)
}

matchMedia("(prefers-color-scheme: dark)").onchange = () => drawn.forEach(({ lines }) => lines && lines.redraw())
`
