/** What runs in the browser: plain JavaScript, as it is. It writes texts only, never HTML. */
import { charts } from "./charts.js"
import { forms } from "./forms.js"
import { tables } from "./tables.js"

const connection = `
const byId = (id) => document.getElementById(id)
const write = (node, text) => { if (node && node.textContent !== text) node.textContent = text }

const state = byId("state")
const pause = byId("pause")
let source
let isPaused = false
let attempt

const say = (name, text) => {
  if (state.dataset.state === name) return
  state.dataset.state = name
  state.textContent = text
}

const close = () => { clearTimeout(attempt); if (source) source.close(); source = undefined }

const again = (seconds) => { clearTimeout(attempt); attempt = setTimeout(update, seconds * 1000) }

/** A sample comes every second. A connection that is dead may tell nobody. */
const isSilent = () => { say("lost", "No connection, trying again"); open() }

const open = () => {
  close()
  source = new EventSource("?events")
  attempt = setTimeout(isSilent, 10000)
  source.onmessage = ({ data }) => {
    clearTimeout(attempt)
    attempt = setTimeout(isSilent, 10000)
    const sample = JSON.parse(data)
    say("live", "Live")
    showCounts(sample)
    showTables(sample)
    showCharts(sample)
  }
  source.onerror = () => {
    if (source.readyState !== EventSource.CLOSED) return say("lost", "No connection, trying again")
    // What the server has refused the browser does not try again.
    say("refused", "Refused: too many viewers, or not signed in")
    again(5)
  }
}

/** Open while somebody looks: a page in the background costs the server nothing. */
const update = () => {
  pause.textContent = isPaused ? "Go on" : "Pause"
  if (isPaused || document.hidden) { close(); say("paused", "Paused") } else open()
}

pause.onclick = () => { isPaused = !isPaused; update() }
document.onvisibilitychange = update
`

export const script = `"use strict"\n${connection}${tables}${charts}${forms}\nupdate()\n`
