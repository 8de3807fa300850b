/** The figures and tables of the page. Nodes are kept and only their texts change, so that neither focus nor selection is lost. */
export const tables = `
const whole = new Intl.NumberFormat("en")
const count = (number) => (number === null || number === undefined ? "–" : whole.format(number))
const percent = (part, all) => (all === 0 ? "–" : (Math.floor((part / all) * 1000) / 10).toFixed(1) + " %")
const millis = (number) => (number === null ? "–" : number < 10 ? String(Math.round(number * 10) / 10) : count(Math.round(number)))
const age = (number) => (number === null ? "waits to begin" : number < 10000 ? (number / 1000).toFixed(1) + " s" : count(Math.round(number / 1000)) + " s")

const sumOfCalls = ({ hits, staleHits, misses }) => hits + staleHits + misses
const ratio = (counts) => percent(counts.hits + counts.staleHits, sumOfCalls(counts))

const showCounts = (sample) => {
  const shown = { ...sample.counts, ...sample.size, tierHits: sample.tierHits }
  for (const node of document.querySelectorAll("[data-count]")) {
    const name = node.dataset.count
    write(node, name === "ratio" ? ratio(sample.counts) : count(shown[name]))
  }
}

const fill = (id, rows, more, empty) => {
  const body = byId(id).tBodies[0]
  while (body.rows.length > rows.length) body.deleteRow(-1)
  rows.forEach((cells, index) => {
    const row = body.rows[index] || body.insertRow()
    cells.forEach((cell, column) => {
      let node = row.cells[column]
      if (!node) {
        node = document.createElement(column === 0 ? "th" : "td")
        if (column === 0) node.scope = "row"
        row.append(node)
      }
      const isWrong = typeof cell === "object"
      write(node, isWrong ? cell.wrong : cell)
      node.className = isWrong ? "wrong" : ""
    })
  })
  write(document.querySelector('[data-more="' + id + '"]'), more > 0 ? "and " + count(more) + " more" : rows.length === 0 ? empty : "")
}

const wrongIfAny = (number) => (number > 0 ? { wrong: count(number) } : "0")

const showTables = (sample) => {
  const about = sample.entriesAreEstimate ? "≈ " : ""
  fill("functions", sample.functions.map(({ name, counts, p50, p95, entries }) => [
    name, count(sumOfCalls(counts)), ratio(counts), count(counts.staleHits), count(counts.joined), count(counts.computed), millis(p50), millis(p95),
    wrongIfAny(counts.failed), wrongIfAny(counts.storeErrors), entries === null ? "–" : about + count(entries)
  ]), sample.otherFunctions, "Nothing was called yet.")
  fill("computing", sample.computing.map((row) => [row.key, age(row.age), count(row.waiters)]), sample.otherComputing, "Nothing.")
  fill("breakers", sample.breakers.map(({ server, open }) => [
    server === null ? "The store " + sample.store : "Server " + server,
    open > 0 ? { wrong: "Open: calls go on without it" } : "Closed: it is used"
  ]), 0, sample.location === "process" ? "None: the store is in this process." : "None has opened yet.")
}
`
