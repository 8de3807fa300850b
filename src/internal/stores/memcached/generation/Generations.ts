/**
 * The generations that one server is known to hold: its own, and one for each server that it stands in for.
 *
 * @since 0.1.0
 */
import type { Generation } from "./Generation.js"

export class Generations {
  private own: Generation | undefined
  private readonly standIns = new Map<number, Generation>()

  constructor(
    private readonly server: number,
    private readonly keys: ReadonlyArray<string>
  ) {}

  /** The key of the record of a home's generation on this server. */
  key(home: number): string {
    return this.keys[home] ?? ""
  }

  /** The generation that an item of this home has to carry here. */
  current(home: number): Generation | undefined {
    if (home === this.server || this.own === undefined) return this.own
    const standIn = this.standIns.get(home)
    return standIn === undefined ? undefined : this.own.with(standIn)
  }

  saw(home: number, generation: Generation | undefined): void {
    if (home === this.server) this.own = generation
    else if (generation === undefined) this.standIns.delete(home)
    else this.standIns.set(home, generation)
  }

  /** Whether the records kept for that home are known to stem from its present outage. */
  standsInFor(home: number): boolean {
    return home === this.server || this.standIns.has(home)
  }
}
