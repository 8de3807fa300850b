/** Why an attempt to connect failed, for people: a server seldom says what it misses. */
import { Closed, Problem } from "../commands/Problem.js"
import { needsBinary } from "../protocol/foreignAnswer.js"
import type { ConnectionSettings } from "./PoolSettings.js"

/** How far an attempt has come. */
export type Attempt = "opening" | "greeting" | "greeted"

/** That the other side does not speak TLS, and not that its certificate is refused. */
const isTlsFailure = (problem: Problem): boolean => problem instanceof Closed || /SSL routines/.test(problem.message)

/** For an attempt that took too long. */
export const whatIsMissing = (attempt: Attempt, { connectTimeout, timeout, tls }: ConnectionSettings): string => {
  const noTls = tls === undefined ? "" : ", or it does not speak TLS (option tls)"
  return attempt === "opening"
    ? `no connection within ${connectTimeout} ms: nobody listens there${noTls}, or its connections are all taken (-c)`
    : `it took the connection, but did not answer within ${Math.min(connectTimeout, timeout)} ms: it is frozen or ` +
        `overloaded, or its connections are all taken (-c), or it is no memcached: ${needsBinary}`
}

/** A server that hangs up instead of answering can't say why. */
export const explained = (problem: Problem, attempt: Attempt, { credentials, tls }: ConnectionSettings): Problem => {
  if (attempt === "opening" && tls !== undefined && isTlsFailure(problem)) {
    const message = `it does not speak TLS, or not as the option tls has it: ${problem.message}`
    return new Problem(problem.reason, message, { cause: problem.cause })
  }
  if (attempt !== "greeting" || !(problem instanceof Closed)) return problem
  const wants = [
    ...(tls === undefined ? ["TLS (option tls)"] : ["a certificate of its clients"]),
    ...(credentials === undefined ? ["a user and a password"] : []),
    "the text protocol"
  ]
  const message = `${problem.message} instead of answering the first request: it may want ${wants.join(" or ")}; ${needsBinary}`
  return new Problem(problem.reason, message, { cause: problem.cause })
}
