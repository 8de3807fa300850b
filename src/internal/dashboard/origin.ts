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

/** The host that the browser asked for: proxies that change `Host` tell it. No page of another site can set this header. */
const hostsOf = ({ host, "x-forwarded-host": forwarded }: Headers): ReadonlyArray<string | undefined> => [
  host?.toLowerCase(),
  forwarded?.split(",")[0]?.trim().toLowerCase()
]

/** Browsers send `Sec-Fetch-Site` over TLS and to this machine; elsewhere `Origin` alone. */
const isSameOrigin = (headers: Headers): boolean => {
  const { origin, "sec-fetch-site": site } = headers
  if (site !== undefined) return site === "same-origin"
  return origin !== undefined && URL.canParse(origin) && hostsOf(headers).includes(new URL(origin).host)
}

/** Why the request is refused, if it is. */
export const refusal = (headers: Headers, token: string): string | undefined => {
  if (!isSameOrigin(headers)) return "The request comes from another site, or a proxy has changed its host."
  return hasToken(headers[tokenHeader], token) ? undefined : "The page is out of date. Load it again."
}
