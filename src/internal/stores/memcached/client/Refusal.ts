/** Why a server that is down refuses commands. */
import { CacheError } from "../../../../CacheError.js"
import { CircuitOpen } from "../../../outages/outage.js"
import { Problem, Unfit } from "../commands/Problem.js"

/** The store's name in logs and metrics. */
export const storeName = "memcached"

export class Refusal extends Problem {
  /** One for all callers: an Error takes its stack when it is made, which costs more than the command that is refused. */
  readonly error: CacheError
  /** Whether the server answers, but can't be used. */
  readonly isUnfit: boolean

  constructor(message: string, problem: Problem) {
    const cause = new CircuitOpen({ store: storeName, cause: problem })
    super("Unavailable", message, { cause })
    this.isUnfit = problem instanceof Unfit
    this.error = new CacheError({ reason: "Unavailable", operation: "connect", description: message, cause })
  }
}
