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

const say = (name, text) => {
  if (state.dataset.state === name) return
  state.dataset.state = name
  state.textContent = text
}

const close = () => { if (source) source.close(); source = undefined }

const open = () => {
  close()
  source = new EventSource("?events")
  source.onmessage = ({ data }) => {
    const sample = JSON.parse(data)
    say("live", "Live")
    showCounts(sample)
    showTables(sample)
    showCharts(sample)
  }
  source.onerror = () => {
    say("lost", "No connection")
    // One that the server has refused is not tried again by the browser.
    if (source && source.readyState === EventSource.CLOSED) setTimeout(update, 5000)
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
