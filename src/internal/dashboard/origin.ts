/**
 * Whether a request comes from the page itself. Two independent proofs: what the browser says of its origin, and a token that only
 * the page has, in a header that no form of another site can set.
 */
import { Buffer } from "node:buffer"
import { timingSafeEqual } from "node:crypto"

export const tokenHeader = "x-dashboard-token"

type Headers = Readonly<Record<string, string | undefined>>

const hasToken = (given: string | undefined, token: string): boolean => {
  const [one, other] = [Buffer.from(given ?? ""), Buffer.from(token)]
  return one.length === other.length && timingSafeEqual(one, other)
}

/** Browsers send `Sec-Fetch-Site` over TLS and to this machine, where a proxy may have changed `Host`; elsewhere `Origin` alone. */
const isSameOrigin = (headers: Headers): boolean => {
  const site = headers["sec-fetch-site"]
  if (site !== undefined) return site === "same-origin"
  const { host, origin } = headers
  if (origin === undefined || host === undefined || !URL.canParse(origin)) return false
  return new URL(origin).host === host.toLowerCase()
}

/** Why the request is refused, if it is. */
export const refusal = (headers: Headers, token: string): string | undefined => {
  if (!isSameOrigin(headers)) return "The request comes from another site."
  return hasToken(headers[tokenHeader], token) ? undefined : "The page is out of date. Load it again."
}
