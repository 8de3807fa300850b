/** memcached's times: whole seconds, where 0 is for ever and more than 30 days is a date. */

const longestRelative = 60 * 60 * 24 * 30
const latestDate = 0xff_ff_ff_ff
const forEver = 0

/**
 * The expiry field of a record that has to live at least `lifetime` milliseconds. The server counts whole ticks of its own
 * clock, so a record of "1 second" may go after a few milliseconds: one second is added. A record that has to end is never sent
 * with 0.
 *
 * @param now milliseconds since 1970
 */
export const expiryField = (lifetime: number, now: number): number => {
  if (lifetime === Number.POSITIVE_INFINITY) return forEver
  const seconds = Math.max(1, Math.ceil(lifetime / 1000)) + 1
  return seconds <= longestRelative ? seconds : Math.min(Math.ceil(now / 1000) + seconds, latestDate)
}
