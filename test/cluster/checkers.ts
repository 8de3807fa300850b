/**
 * Checks the promises of the library against a history. Each checker returns the violations, and how many cases it could judge: a
 * verdict over no case says nothing.
 */
import type { Computation, History, Operation } from "./history.js"
import { groupsOf, type Plan } from "./plan.js"

export interface Verdict {
  readonly promise: string
  readonly judged: number
  readonly violations: ReadonlyArray<string>
}

const reads: ReadonlySet<Operation["kind"]> = new Set([
  "call",
  "hurriedCall",
  "requireCache",
  "get",
  "getMany",
  "forceRecalc"
])

/** Operations after which nothing that was computed or written for the key before may be seen. */
const replacing: ReadonlySet<Operation["kind"]> = new Set([
  "invalidate",
  "delete",
  "set",
  "add",
  "forceRecalc",
  "invalidateGroup"
])

const concerns = (operation: Operation, key: string): boolean =>
  operation.kind === "invalidateGroup" ? groupsOf(key).includes(operation.target) : operation.target === key

/** Whether the operation reported that it replaced what was there. */
const replaced = ({ kind, outcome }: Operation): boolean => {
  if (outcome === undefined || !replacing.has(kind)) return false
  if (kind === "forceRecalc") return outcome._tag === "Value"
  if (kind === "add") return outcome._tag === "Done" && outcome.changed === true
  return outcome._tag === "Done"
}

const keysIn = (history: History): ReadonlyArray<string> => [
  ...new Set([
    ...history.computations.map(({ key }) => key),
    ...history.operations.filter(({ kind }) => kind !== "invalidateGroup").map(({ target }) => target)
  ])
]

const byBegin = (left: { readonly begin: number }, right: { readonly begin: number }) => left.begin - right.begin
const at = (moment: number) => moment.toFixed(3)
const told = (operation: Operation) =>
  `${operation.kind} ${operation.target} of process ${operation.process} [${at(operation.begin)}, ${operation.end === undefined ? "…" : at(operation.end)}]`

const overlaps = (span: { readonly begin: number; readonly end: number | undefined }, begin: number, end: number) =>
  span.begin <= end && (span.end ?? Number.POSITIVE_INFINITY) >= begin

/** Of the operations that had ended by a moment, the one that began last. */
const latestBefore = (operations: ReadonlyArray<Operation>): ((moment: number) => Operation | undefined) => {
  const ended = [...operations].sort((left, right) => (left.end ?? 0) - (right.end ?? 0))
  // For each, the latest begin of all up to it.
  const latest: Array<Operation> = []
  for (const operation of ended) {
    const before = latest.at(-1)
    latest.push(before === undefined || operation.begin > before.begin ? operation : before)
  }
  return (moment) => {
    let low = 0
    let high = ended.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((ended[middle]?.end ?? Infinity) < moment) low = middle + 1
      else high = middle
    }
    return latest[low - 1]
  }
}

/**
 * (b) No invalidated value is read again. Let I be an operation that replaced what was there (an `invalidate`, `delete`, group
 * invalidation, `set`, successful `add` or `forceRecalc`) and R a read of the same key:
 *
 * > violated if  origin(R's value) < I.begin  and  I.end < R.begin
 *
 * With tiers the read of another process than that of I may be as old as `maxStaleness`: violated if I.end < R.begin −
 * maxStaleness. In the process of I it may not.
 *
 * The origin of a computed value is the begin of its computation; that of a written value is the end of the write (never, if the
 * write did not return). Operations that overlap in time may have happened in either order and are not judged.
 *
 * One exception: a process that can't reach the store, while another process can, sees no invalidation. Its callers share the
 * computation that runs there. So during an outage R is not judged if the computation of its value ran in its own process and had
 * not ended when R began.
 *
 * A forced recalculation counts only if the store worked: while the store can't be reached, it computes and logs that.
 */
export const nothingOutlivesItsInvalidation = (history: History, maxStaleness = 0): Verdict => {
  const origins = new Map<string, number>()
  const computations = new Map<string, Computation>()
  for (const computation of history.computations) {
    computations.set(computation.id, computation)
    origins.set(computation.id, computation.begin)
  }
  const shared = (read: Operation, id: string): boolean => {
    const computation = computations.get(id)
    return (
      computation?.process === read.process &&
      (computation.end ?? Infinity) >= read.begin &&
      history.disturbances.some((one) => overlaps(one, read.begin, read.end ?? Infinity))
    )
  }
  for (const { end, outcome, writes } of history.operations) {
    if (writes !== undefined) origins.set(writes, outcome?._tag === "Done" && end !== undefined ? end : Infinity)
  }
  const troubled = (operation: Operation) =>
    operation.kind === "forceRecalc" &&
    (history.disturbances.some((one) => overlaps(one, operation.begin, operation.end ?? Infinity)) ||
      history.troubles.some(
        (one) => one.process === operation.process && one.at >= operation.begin && one.at <= (operation.end ?? Infinity)
      ))
  const replacers = history.operations.filter((operation) => replaced(operation) && !troubled(operation))
  const violations: Array<string> = []
  let judged = 0
  for (const key of keysIn(history)) {
    const ended = replacers.filter((operation) => concerns(operation, key))
    const byAnyone = latestBefore(ended)
    const byProcess = new Map(
      maxStaleness === 0
        ? []
        : [...new Set(ended.map(({ process }) => process))].map((process) => [
            process,
            latestBefore(ended.filter((operation) => operation.process === process))
          ])
    )
    for (const read of history.operations) {
      if (read.target !== key || !reads.has(read.kind) || read.outcome?._tag !== "Value") continue
      const own = byProcess.get(read.process)?.(read.begin)
      const anyone = byAnyone(read.begin - maxStaleness)
      const last = own !== undefined && own.begin > (anyone?.begin ?? 0) ? own : anyone
      if (last === undefined || shared(read, read.outcome.id)) continue
      judged++
      const origin = origins.get(read.outcome.id)
      if (origin !== undefined && origin < last.begin) {
        violations.push(`${told(read)} gave ${read.outcome.id} of ${at(origin)}, replaced by ${told(last)}`)
      }
    }
  }
  return { promise: "nothing outlives its invalidation", judged, violations }
}

/** Milliseconds by which two clocks of one machine may differ about the end of a time to live. */
const rounding = 20

/**
 * (a) One computation per key and freshness window in the whole cluster. Of two computations of a key that follow each
 * other, the second is justified if
 * - it was forced,
 * - the `ttl` of the first one's value was over: second.begin ≥ first.end + ttl,
 * - the first one failed: second.begin ≥ first.end; or its callers were interrupted: at once,
 * - the caller of the first one waited for the lease of a third one of another process that failed: then it may have no lease, and
 *   stores nothing,
 * - so did the caller of the second one, in another process than the first one's: each process computes at once, in one flight,
 * - an operation that replaces what is there (whether or not it succeeded) overlaps the time from the earlier of the
 *   callers that asked for the two to the begin of the second, or
 * - in that time one of their processes was killed or stopped, or its store took so long to answer that a lease may have run out
 *   on the way, any clock was wrong, or the store misbehaved.
 *
 * Pairs of the last two kinds are not judged.
 */
export const oneComputationPerWindow = (history: History, plan: Plan): Verdict => {
  const violations: Array<string> = []
  let judged = 0
  // A computation that failed gives its lease back before anybody is told. Until then others may read its lease, and wait.
  const leaseEnds = new Map<string, number>()
  for (const { end = Infinity, outcome } of history.operations) {
    if (outcome?._tag === "ComputeError")
      leaseEnds.set(outcome.id, Math.min(end, leaseEnds.get(outcome.id) ?? Infinity))
  }
  for (const key of keysIn(history)) {
    const computations = history.computations.filter((one) => one.key === key).sort(byBegin)
    const replacers = history.operations.filter((one) => replacing.has(one.kind) && concerns(one, key)).sort(byBegin)
    const disturbed = (first: Computation, second: Computation): boolean => {
      const from = Math.min(first.asked, second.asked)
      const until = second.begin
      const own = (process: string) => process === first.process || process === second.process
      return (
        replacers.some((one) => overlaps(one, from, until)) ||
        history.disturbances.some((one) => overlaps(one, from, until)) ||
        history.slowReads.some((one) => own(one.process) && overlaps(one, from, until)) ||
        history.pauses.some((one) => (one.cause === "clock" || own(one.process)) && overlaps(one, from, until)) ||
        history.troubles.some((one) => own(one.process) && one.at >= from && one.at <= until)
      )
    }
    /**
     * Whether its caller waited for the lease of another process's computation that failed. It may have no lease, and then stores
     * nothing.
     */
    const followsFailure = ({ asked, begin, process }: Computation): boolean =>
      computations.some(
        (one) =>
          one.how === "error" &&
          one.process !== process &&
          one.end !== undefined &&
          (leaseEnds.get(one.id) ?? one.end + plan.lease) >= asked &&
          one.end <= begin
      )
    for (const [index, second] of computations.entries()) {
      const first = computations[index - 1]
      if (first === undefined || second.forced || first.how === "interrupted") continue
      const isApart = first.process !== second.process
      if (disturbed(first, second) || followsFailure(first) || (isApart && followsFailure(second))) continue
      judged++
      const end = first.end ?? Infinity
      const notBefore = first.how === "value" ? end + plan.ttl - rounding : end
      if (second.begin < notBefore) {
        violations.push(
          `${second.id} for ${key} began at ${at(second.begin)}, although ${first.id} [${at(first.begin)}, ${at(end)}] ${first.how === "value" ? "was fresh" : "still ran"}`
        )
      }
    }
  }
  return { promise: "one computation per key and freshness window", judged, violations }
}

/**
 * (c) Every caller of a memoized function gets a value of its own key, or the typed error of a computation of that key. Only direct
 * operations and invalidations fail with `CacheError`, and only while the store misbehaved. No caller hangs: every operation that
 * began in a process that was not killed has ended.
 */
export const everyCallerIsAnswered = (history: History): Verdict => {
  const killed = new Set(history.pauses.filter((one) => one.cause === "kill").map((one) => one.process))
  const known = new Map(history.computations.map((one) => [one.id, one.key]))
  for (const { target, writes } of history.operations) if (writes !== undefined) known.set(writes, target)
  const never: ReadonlySet<Operation["kind"]> = new Set(["call", "hurriedCall", "forceRecalc"])
  const complaint = (operation: Operation): string | undefined => {
    const { begin, end, kind, outcome, process, target } = operation
    if (outcome === undefined) return killed.has(process) ? undefined : "never ended"
    switch (outcome._tag) {
      case "Value":
      case "ComputeError":
        if (outcome.of !== target) return `was given what was made for ${outcome.of}`
        return known.get(outcome.id) === target ? undefined : `was given ${outcome.id}, which nobody made`
      case "CacheError": {
        if (never.has(kind)) return `was given the cache's own error ${outcome.reason}`
        const excused =
          history.disturbances.some((one) => overlaps(one, begin, end ?? Infinity)) ||
          history.pauses.some((one) => one.process === process && overlaps(one, begin, end ?? Infinity))
        return excused ? undefined : `failed with ${outcome.reason} although the store was well`
      }
      case "Interrupted":
        return kind === "hurriedCall" ? undefined : "was interrupted"
      case "Defect":
        return `died of ${outcome.text}`
      case "Absent":
      case "Done":
        return undefined
    }
  }
  const violations: Array<string> = []
  for (const operation of history.operations) {
    const wrong = complaint(operation)
    if (wrong !== undefined) violations.push(`${told(operation)} ${wrong}`)
  }
  return { promise: "every caller is answered", judged: history.operations.length, violations }
}

/**
 * (d) No caller waits longer than
 *
 * > lease + (1 + n) · slowest computation + slack
 *
 * Here n is the number of operations that replaced the key's value while it waited: each may void the computation that it waits
 * for. The times in which its own process did not run, the store misbehaved, or another process was killed or frozen are added;
 * each may cost one more lease.
 */
export const nobodyWaitsLonger = (history: History, plan: Plan, slack: number): Verdict => {
  const violations: Array<string> = []
  const long = plan.lease + plan.slowestCompute + slack
  const callers = history.operations.filter((one) => reads.has(one.kind) && one.end !== undefined)
  for (const caller of callers) {
    const end = caller.end ?? caller.begin
    if (end - caller.begin <= long) continue
    const within = (span: { readonly begin: number; readonly end: number | undefined }) =>
      overlaps(span, caller.begin, end)
    const replacements = history.operations.filter(
      (one) => replacing.has(one.kind) && concerns(one, caller.target) && within(one)
    ).length
    const lost =
      history.pauses.filter(within).reduce((sum, one) => sum + plan.lease + (one.end - one.begin), 0) +
      history.disturbances.filter(within).reduce((sum, one) => sum + (one.end - one.begin), 0)
    const allowed = long + replacements * plan.slowestCompute + lost
    if (end - caller.begin > allowed) {
      violations.push(`${told(caller)} waited ${at(end - caller.begin)} ms, ${at(allowed)} are allowed`)
    }
  }
  return { promise: "nobody waits longer than lease + computation", judged: callers.length, violations }
}
