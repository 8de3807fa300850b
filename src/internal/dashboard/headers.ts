/** What a browser may do with the answers: run the page's own scripts, speak to the server it came from, and nothing else. */
import { createHash } from "node:crypto"

const hashesOf = (texts: ReadonlyArray<string>): string =>
  texts.map((text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`).join(" ")

/** @param scripts and `styles`: those that stand in the page, each as it is between its tags */
export const headersFor = (
  scripts: ReadonlyArray<string>,
  styles: ReadonlyArray<string>
): Readonly<Record<string, string>> => ({
  "content-security-policy": [
    "default-src 'none'",
    `script-src ${hashesOf(scripts)}`,
    `style-src ${hashesOf(styles)}`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    // The scripts write no HTML.
    "require-trusted-types-for 'script'",
    "trusted-types 'none'"
  ].join("; "),
  "x-frame-options": "DENY",
  "x-content-type-options": "nosniff",
  "referrer-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
  // The page holds a token, and every answer is out of date a moment later.
  "cache-control": "no-store"
})
