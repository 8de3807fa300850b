/** The `tls` option: how a connection to memcached is encrypted, and how the server's certificate is verified. */
import { Redacted } from "effect"

/** PEM, as text or bytes. */
type Pem = string | Uint8Array

/**
 * The names and meanings are those of Node's `tls.connect`.
 *
 * @since 0.1.0
 * @category models
 */
export interface MemcachedTlsOptions {
  /** The authorities to trust. Default: those that Node trusts. */
  readonly ca?: Pem | ReadonlyArray<Pem> | undefined
  /** This client's certificate and its key, for servers that want one. */
  readonly cert?: Pem | undefined
  readonly key?: Pem | Redacted.Redacted<Pem> | undefined
  readonly passphrase?: Redacted.Redacted | undefined
  /** The name that the certificate must be for, and that is sent as SNI. Default: the host in `servers`. */
  readonly servername?: string | undefined
  /**
   * Whether a certificate that can't be verified ends the connection. With `false` anybody may answer in the server's place.
   * Default true.
   */
  readonly rejectUnauthorized?: boolean | undefined
  /** `TLSv1.2` or `TLSv1.3`. Default: Node's. */
  readonly minVersion?: "TLSv1.2" | "TLSv1.3" | undefined
}

/** For Node's `tls.connect`. In a private field, so that neither logs nor inspections show the key. */
export class TlsSettings {
  readonly #options: Readonly<Record<string, unknown>>

  constructor(options: Readonly<Record<string, unknown>>) {
    this.#options = options
  }

  get options(): Readonly<Record<string, unknown>> {
    return this.#options
  }
}

const revealed = <A>(value: A | Redacted.Redacted<A>): A => (Redacted.isRedacted(value) ? Redacted.value(value) : value)

export const tlsSettings = (option: boolean | MemcachedTlsOptions | undefined): TlsSettings | undefined => {
  if (option === undefined || option === false) return undefined
  const given = option === true ? {} : option
  // What is not given must be left out: Node takes `undefined` for some of them as a value.
  const options = Object.entries(given).filter(([, value]) => value !== undefined)
  return new TlsSettings(Object.fromEntries(options.map(([name, value]) => [name, revealed<unknown>(value)])))
}

const loopback = /^(localhost|127(\.\d{1,3}){3}|::1)$/i

/** Whether what is sent to the host stays on this machine. */
export const isLoopback = (host: string): boolean => loopback.test(host)
