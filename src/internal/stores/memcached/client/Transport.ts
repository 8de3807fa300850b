/** One connection to a server, by TCP or TLS, from its opening to its end: bytes out, answers in. */
import { connect, type NetConnectOpts, type Socket } from "node:net"
import { connect as connectSecurely } from "node:tls"
import { Closed, Problem } from "../commands/Problem.js"
import { type Answer, AnswerReader } from "../protocol/AnswerReader.js"
import { greeting } from "../protocol/handshake.js"
import type { ServerAddress } from "./Servers.js"
import type { TlsSettings } from "./tls.js"

/** What a transport tells. Nothing after `close`, nor after `broke`. */
export interface TransportListener {
  readonly opened: () => void
  /** May throw, when the answer does not fit to what was asked: then the transport is broken. */
  readonly answered: (answer: Answer) => void
  readonly broke: (problem: Problem) => void
}

const keepAliveDelay = 30_000
/** What memcached reads at once. */
const serverBuffer = 16_384
/** How many bytes the socket reads at most at a time. */
const chunkLength = 65_536

/** Calls `opened` when the first request may be sent: with TLS, once the server's certificate was verified. */
const open = (options: NetConnectOpts, tls: TlsSettings | undefined, opened: () => void): Socket =>
  tls === undefined
    ? connect(options).on("connect", opened)
    : connectSecurely({ ...options, ...tls.options }).on("secureConnect", opened)

const hangUps: ReadonlyArray<unknown> = ["ECONNRESET", "EPIPE"]

const failure = (cause: NodeJS.ErrnoException): Problem =>
  hangUps.includes(cause.code)
    ? new Closed("Unavailable", `the server closed the connection (${cause.code})`, { cause })
    : new Problem("Unavailable", cause.message, { cause })

export class Transport {
  /** How many bytes have come. */
  heard = 0
  private readonly socket: Socket
  private readonly reader: AnswerReader
  private readonly isEncrypted: boolean
  private isOpen = true

  constructor(
    { host, port }: ServerAddress,
    tls: TlsSettings | undefined,
    private readonly listener: TransportListener
  ) {
    this.reader = new AnswerReader(listener.answered)
    const options: NetConnectOpts = {
      host,
      port,
      // Past Node's stream, which would allocate 64 KB a chunk and cost an answer more than reading it does.
      onread: {
        buffer: Buffer.allocUnsafeSlow(chunkLength),
        // The buffer above, so a Buffer.
        callback: (length, chunk) => this.received(chunk as Buffer, length)
      }
    }
    this.socket = open(options, tls, () => {
      if (this.isOpen) listener.opened()
    })
    this.socket.setNoDelay(true).setKeepAlive(true, keepAliveDelay)
    this.isEncrypted = tls !== undefined
    this.socket.on("error", (cause) => this.break(failure(cause)))
    const closed = () => this.break(new Closed("Unavailable", "the server closed the connection"))
    // Some turns of the event loop before `close`.
    this.socket.on("end", closed).on("close", closed)
  }

  write(request: Buffer): void {
    if (this.isEncrypted && this.socket.writableLength + request.length > serverBuffer) {
      this.socket.write(request, this.wake)
    } else {
      this.socket.write(request)
    }
  }

  /**
   * memcached (1.6.18) forgets what it has decrypted but not yet read: the end of a long request lies there until more bytes come.
   * So some do, in a record of their own.
   */
  private readonly wake = (): void => {
    if (this.isOpen) this.socket.write(greeting)
  }

  /** Drops the answers that are still to come. */
  close(): void {
    this.isOpen = false
    this.reader.stop()
    this.socket.destroy()
  }

  private break(problem: Problem): void {
    if (!this.isOpen) return
    this.close()
    this.listener.broke(problem)
  }

  /** Tells the socket to go on reading. */
  private received(chunk: Buffer, length: number): boolean {
    this.heard += length
    try {
      if (this.isOpen) this.reader.push(chunk, length)
    } catch (cause) {
      this.break(new Problem("Unavailable", cause instanceof Error ? cause.message : String(cause), { cause }))
    }
    return true
  }
}
