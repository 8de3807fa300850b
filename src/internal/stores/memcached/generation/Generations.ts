/** The generations that one server is known to have: its own, and one for each server that it stands in for. */
import type { Generation } from "./Generation.js"

export class Generations {
  private own: Generation | undefined
  private readonly standIns = new Map<number, Generation>()

  /** @param keys of the generations' records on this server, by primary server */
  constructor(
    private readonly server: number,
    private readonly keys: ReadonlyArray<string>
  ) {}

  /** The key of the record on this server. */
  key(primary: number): string {
    return this.keys[primary] ?? ""
  }

  /** The generation that an item of this primary server has to carry here. */
  current(primary: number): Generation | undefined {
    if (primary === this.server || this.own === undefined) return this.own
    const standIn = this.standIns.get(primary)
    return standIn === undefined ? undefined : this.own.with(standIn)
  }

  /** Takes what a record was seen to hold; `undefined` if it is missing, or not to be trusted any more. */
  learn(primary: number, generation: Generation | undefined): void {
    if (primary === this.server) this.own = generation
    else if (generation === undefined) this.standIns.delete(primary)
    else this.standIns.set(primary, generation)
  }

  /**
   * Whether items of this primary server may be read here. On a stand-in server they may once its generation was renewed in the
   * present outage, so no item of an earlier outage counts.
   */
  isPreparedFor(primary: number): boolean {
    return primary === this.server || this.standIns.has(primary)
  }
}
