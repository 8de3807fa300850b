/** Looking up and invalidating: posts of JSON with the page's token. */
export const forms = String.raw`
const token = document.querySelector('meta[name="token"]').content

const post = async (action, name) => {
  try {
    const response = await fetch("?", {
      method: "POST",
      headers: { "content-type": "application/json", "x-dashboard-token": token },
      body: JSON.stringify({ action, name })
    })
    return await response.json()
  } catch {
    return { error: "The server does not answer." }
  }
}

const left = (until) => {
  const seconds = Math.round((until - Date.now()) / 1000)
  const at = new Date(until).toLocaleString()
  return seconds < 0 ? at + ", " + count(-seconds) + " s ago" : at + ", in " + count(seconds) + " s"
}

const describe = (found) => [
  found.freshUntil === 0 ? "No value yet" : "Fresh until " + left(found.freshUntil),
  ...(found.staleUntil > found.freshUntil ? ["Stale until " + left(found.staleUntil)] : []),
  ...(found.lease === null ? [] : ["Is being computed: leased until " + left(found.lease)]),
  "Groups: " + (found.groups.length === 0 ? "none" : found.groups.join(", ")),
  count(found.bytes) + " bytes"
].join("\n")

const texts = {
  inspect: ({ found }) => (found === null ? "Nothing is stored under this key." : describe(found)),
  delete: ({ removed }) => (removed ? "Invalidated." : "Invalidated; there was no fresh value."),
  invalidateGroup: () => "Invalidated."
}

for (const form of document.forms) {
  const answer = byId(form.id === "inspect" ? "inspected" : "invalidated")
  const button = form.querySelector("button")
  form.onsubmit = async (event) => {
    event.preventDefault()
    button.disabled = true
    answer.textContent = ""
    const result = await post(form.id, form.elements.name.value)
    button.disabled = false
    answer.classList.toggle("wrong", result.error !== undefined)
    answer.textContent = result.error === undefined ? texts[form.id](result) : result.error
  }
}
`
