/** What a browser may do with the answers: run the page's own script, speak to the server it came from, and nothing else. */
import { createHash } from "node:crypto"
import { script } from "./page/script.js"
import { style } from "./page/style.js"

const hashOf = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`

const policy = [
  "default-src 'none'",
  `script-src ${hashOf(script)}`,
  `style-src ${hashOf(style)}`,
  "connect-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  // The script writes no HTML.
  "require-trusted-types-for 'script'",
  "trusted-types 'none'"
].join("; ")

export const headers: Readonly<Record<string, string>> = {
  "content-security-policy": policy,
  "x-frame-options": "DENY",
  "x-content-type-options": "nosniff",
  "referrer-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
  // The page holds a token, and every answer is out of date a moment later.
  "cache-control": "no-store"
}
