/**
 * This process's memory in front of a store that other processes share. `read` always asks below and keeps what it may; the copies
 * answer through `local`, in `entries/EntryReader.ts` and `memoized/`, which know what a hit is.
 *
 * - In the process that invalidates nothing old is served afterwards: each change drops its keys before it returns.
 * - In any other, at most `maxStaleness` later: so long a copy counts from when its read was sent, whatever the bus does.
 * - Inside a transaction the copies answer nothing, and what is changed there counts like the change of another process.
 */
import { Deferred, Effect, Exit, FiberId, Option, type Scope } from "effect"
import type { CacheBusService } from "../../../CacheBus.js"
import type { CacheError } from "../../../CacheError.js"
import type { Entry, StoredEntry, Token } from "../../../CacheStore.js"
import { isGroupKey } from "../../keys/finishKey.js"
import { type CallingFiber, inTransaction, isInTransaction, nowMillis, withFiber } from "../../runtime/fiber.js"
import { forkFromCallbacks } from "../../runtime/fork.js"
import { monotonicMillis } from "../../runtime/monotonic.js"
import { fused, unfused } from "../fused.js"
import type { Found, LocalEntry, LocalPart, Store } from "../Store.js"
import { NearEntries, type NearLimits } from "./NearEntries.js"
import { NearEntry } from "./NearEntry.js"
import { type Subscription, subscribe } from "./subscription.js"
import { type Ticket, Tickets } from "./Tickets.js"
import { lowerOf, TierToken, tierToken } from "./TierToken.js"

export interface TierOptions extends NearLimits {
  /** Milliseconds. */
  readonly maxStaleness: number
  /** Milliseconds. */
  readonly maxBusSilence: number
}

/** An entry from below, and the copy that was made of it: the copy learns the decoded value. */
class FromBelow implements StoredEntry {
  constructor(
    readonly token: Token,
    readonly entry: Entry | undefined,
    readonly copy: NearEntry | undefined
  ) {}
}

/** A read below that is under way. Further callers of the same keys wait for it, as long as nothing of it was changed. */
interface Reading {
  readonly ticket: Ticket
  readonly answer: Deferred.Deferred<Found<StoredEntry>, CacheError>
}

const noBus: Subscription = { isTrusted: () => true }

export const make = (
  below: Store,
  options: TierOptions,
  bus: CacheBusService | undefined
): Effect.Effect<Store, never, Scope.Scope> =>
  Effect.gen(function* () {
    const monotonic = yield* monotonicMillis
    const fork = yield* forkFromCallbacks
    const { amend } = below
    const sameToken = below.sameToken ?? Object.is
    const copies = new NearEntries(options, sameToken)
    const tickets = new Tickets()
    const readings = new Map<string, Reading>()

    const changed = (keys: ReadonlyArray<string>): void => {
      for (const key of keys) {
        tickets.void(key)
        copies.drop(key)
      }
    }
    const allChanged = (): void => {
      tickets.voidAll()
      copies.dropAll()
    }
    yield* Effect.addFinalizer(() => Effect.sync(allChanged))

    const subscription =
      bus === undefined
        ? noBus
        : yield* subscribe(bus, options.maxBusSilence, monotonic, {
            heard: (keys) => (keys === "all" ? allChanged() : changed(keys)),
            missed: allChanged
          })

    const publish = (keys: ReadonlyArray<string> | "all"): Effect.Effect<void, CacheError> =>
      bus === undefined ? Effect.void : bus.publish(keys)
    if (bus !== undefined && below.tellReplayed !== undefined) yield* below.tellReplayed(publish)

    const currentUntil = (sentAt: number): number => sentAt + options.maxStaleness

    /** What a read brings, kept where its ticket is still live. */
    const kept = (
      keys: ReadonlyArray<string>,
      found: Found<StoredEntry>,
      ticket: Ticket,
      sentAt: number,
      now: number
    ) => {
      const isTrusted = subscription.isTrusted(monotonic())
      return found.map((stored, index) => {
        const key = keys[index] ?? ""
        if (stored === undefined) {
          if (ticket.isLive(key)) copies.drop(key)
          return undefined
        }
        const token = tierToken(stored.token, stored.entry, now)
        const copy =
          isTrusted && ticket.isLive(key) ? copies.keep(key, token, stored.entry, now, currentUntil(sentAt)) : undefined
        return new FromBelow(token, stored.entry, copy)
      })
    }

    /** In a fiber that no caller owns, as several may wait for it. Both are registered in one synchronous step. */
    const begin = (id: string, keys: ReadonlyArray<string>): Reading => {
      const reading: Reading = { ticket: tickets.open(keys), answer: Deferred.unsafeMake(FiberId.none) }
      readings.set(id, reading)
      const sentAt = monotonic()
      fork(
        Effect.flatMap(Effect.exit(unfused(below.read)(keys)), (exit) =>
          withFiber((fiber) => {
            if (readings.get(id) === reading) readings.delete(id)
            tickets.close(reading.ticket)
            const now = nowMillis(fiber)
            Deferred.unsafeDone(
              reading.answer,
              Exit.map(exit, (found) => kept(keys, found, reading.ticket, sentAt, now))
            )
            return Effect.void
          })
        )
      )
      return reading
    }

    /** In a transaction the caller's own connection reads, and what it sees may never be committed. */
    const readInside = (fiber: CallingFiber, keys: ReadonlyArray<string>) =>
      Effect.map(unfused(below.read)(keys), (found) =>
        found.map((stored) =>
          stored === undefined
            ? undefined
            : new FromBelow(tierToken(stored.token, stored.entry, nowMillis(fiber)), stored.entry, undefined)
        )
      )

    const readBelow = (
      fiber: CallingFiber,
      keys: ReadonlyArray<string>
    ): Effect.Effect<Found<StoredEntry>, CacheError> => {
      if (isInTransaction(fiber)) return readInside(fiber, keys)
      const id = keys.join(" ")
      const known = readings.get(id)
      return Deferred.await((known?.ticket.isWholeLive === true ? known : begin(id, keys)).answer)
    }

    const answers = (fiber: CallingFiber, now: number): boolean =>
      !isInTransaction(fiber) && subscription.isTrusted(now)

    const local: LocalPart = {
      capacity: options.maxEntries,
      read: (key, now) => copies.current(key, now, monotonic()),
      group: (key) => copies.group(key, monotonic())?.asGroup,
      find: (key) => copies.peek(key),
      keys: () => copies.keys(),
      used: (entry) => {
        if (entry instanceof NearEntry) copies.used(entry)
      },
      near: {
        whole: (fiber, keys) => {
          const time = monotonic()
          return answers(fiber, time) ? copies.whole(keys, nowMillis(fiber), time) : undefined
        },
        answers: (fiber: CallingFiber, entry: LocalEntry, codec: unknown) => {
          if (!(entry instanceof NearEntry) || !entry.isDecodedBy(codec)) return false
          const time = monotonic()
          return time < entry.currentUntil && answers(fiber, time)
        },
        learn: (stored, codec, decoded) => {
          const copy = stored instanceof FromBelow ? stored.copy : stored instanceof NearEntry ? stored : undefined
          copy?.learn(codec, decoded)
        }
      }
    }

    /** Drops the keys before the operation and, as a read may have kept the old entries meanwhile, after it, however it ends. */
    const changing = <A>(
      keys: ReadonlyArray<string>,
      operation: Effect.Effect<A, CacheError>
    ): Effect.Effect<A, CacheError> =>
      Effect.zipRight(
        Effect.sync(() => changed(keys)),
        Effect.ensuring(
          operation,
          Effect.sync(() => changed(keys))
        )
      )

    /** The value is stored. Where the bus fails, other processes see it when their copies are too old. */
    const announce = (keys: ReadonlyArray<string>): Effect.Effect<void, CacheError> =>
      Effect.catchAll(publish(keys), (error) =>
        Effect.flatMap(inTransaction, (inside) => (inside ? Effect.fail(error) : Effect.void))
      )

    /**
     * A copy of what was stored spares the next read. As in a read a ticket is open meanwhile, which whatever changes the key
     * voids, and the copy counts from before the write was sent.
     */
    const keeping = (
      key: string,
      entry: Entry,
      writing: Effect.Effect<Option.Option<Token>, CacheError>
    ): Effect.Effect<Option.Option<Token>, CacheError> =>
      Effect.uninterruptibleMask((restore) =>
        withFiber((fiber) => {
          changed([key])
          const ticket = tickets.open([key])
          const sentAt = monotonic()
          return Effect.flatMap(Effect.exit(restore(writing)), (exit) => {
            // In one synchronous step: between the end of the ticket and the copy nothing can be heard.
            const isLive = ticket.isLive(key)
            tickets.close(ticket)
            changed([key])
            if (Exit.isFailure(exit) || Option.isNone(exit.value)) return exit
            const now = nowMillis(fiber)
            const token = tierToken(exit.value.value, entry, now)
            if (isLive && answers(fiber, monotonic())) copies.keep(key, token, entry, now, currentUntil(sentAt))
            return Effect.succeedSome(token)
          })
        })
      )

    /** Over an entry with this token. */
    const overwritten = (
      key: string,
      token: Token,
      entry: Entry,
      writing: Effect.Effect<Option.Option<Token>, CacheError>
    ): Effect.Effect<Option.Option<Token>, CacheError> =>
      Effect.tap(keeping(key, entry, writing), (written) => {
        const held = token instanceof TierToken ? token.held : undefined
        // Lease traffic keeps the value, and stays silent.
        return Option.isSome(written) && held !== undefined && entry.value !== held ? announce([key]) : Effect.void
      })

    const tokenFor = (lower: Option.Option<Token>, entry: Entry) =>
      withFiber((fiber) => Effect.succeed(Option.map(lower, (token) => tierToken(token, entry, nowMillis(fiber)))))

    return {
      name: below.name,
      location: below.location,
      payloads: below.payloads,
      local,
      joinsTransaction: below.joinsTransaction,
      sameToken: (one, other) => sameToken(lowerOf(one), lowerOf(other)),
      read: (fiber, keys, onFound, onFailure) =>
        keys.length === 0 ? onFound([]) : Effect.matchEffect(readBelow(fiber, keys), { onFailure, onSuccess: onFound }),
      write: fused((items) => {
        const keys = items.map(({ key }) => key)
        // A new version of a group is an invalidation, which fails where others can't be told.
        const told = keys.some(isGroupKey) ? publish(keys) : announce(keys)
        return Effect.zipLeft(changing(keys, unfused(below.write)(items)), told)
      }),
      // Nobody has a copy of what is not there.
      add: (key, entry) => Effect.flatMap(changing([key], below.add(key, entry)), (token) => tokenFor(token, entry)),
      replace: (key, token, entry) => overwritten(key, token, entry, below.replace(key, lowerOf(token), entry)),
      ...(amend === undefined
        ? {}
        : {
            amend: (key, token, entry, before) =>
              overwritten(key, token, entry, amend(key, lowerOf(token), entry, before))
          }),
      remove: (keys) => Effect.zipLeft(changing(keys, below.remove(keys)), publish(keys)),
      clear: Effect.suspend(() => {
        allChanged()
        return Effect.zipRight(Effect.ensuring(below.clear, Effect.sync(allChanged)), publish("all"))
      }),
      ...(below.size === undefined ? {} : { size: below.size })
    }
  })
