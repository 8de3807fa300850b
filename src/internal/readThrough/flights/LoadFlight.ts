/** One running load of many keys. The flight of each key waits for it, so a load that needs one of its own keys is a cycle. */
import { Flight } from "./Flight.js"

interface Keyed {
  readonly key: string
  readonly printed: string
}

const nameOf = ([first, ...others]: ReadonlyArray<Keyed>): string =>
  others.length === 0 ? `${first?.printed}` : `${first?.printed} and ${others.length} more`

export class LoadFlight extends Flight {
  private readonly keys: ReadonlySet<string>

  /** @param parent the flight of one key, with whose services it loads */
  constructor(registry: object, requests: ReadonlyArray<Keyed>, parent: Flight | undefined) {
    super(registry, "", nameOf(requests), "", [], false, parent)
    this.keys = new Set(requests.map(({ key }) => key))
    this.phase = "computing"
  }

  override computes(registry: object, key: string): boolean {
    return registry === this.registry && this.keys.has(key)
  }
}
