/** Certificates by the `openssl` program, and a memcached that speaks TLS. */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createServer } from "node:tls"
import { Effect, type Scope } from "effect"
import { memcached } from "./memcached.js"

export interface Certificate {
  readonly certPath: string
  readonly keyPath: string
  readonly cert: string
  readonly key: string
}

export interface Authority {
  readonly caPath: string
  /** PEM. */
  readonly ca: string
  /** A certificate for these names, such as `DNS:localhost,IP:127.0.0.1`. */
  readonly certificate: (name: string, subjects: string) => Certificate
}

/** An authority of one's own, whose files disappear with the scope. */
export const authority: Effect.Effect<Authority, never, Scope.Scope> = Effect.gen(function* () {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-cached-tls-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const path = (name: string) => join(directory, name)
  const openssl = (...args: ReadonlyArray<string>) => execFileSync("openssl", args, { cwd: directory, stdio: "pipe" })
  const newKey = ["-newkey", "rsa:2048", "-nodes"]
  openssl("req", "-x509", ...newKey, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test authority")
  return {
    caPath: path("ca.pem"),
    ca: readFileSync(path("ca.pem"), "utf8"),
    certificate: (name, subjects) => {
      openssl("req", ...newKey, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`)
      writeFileSync(path(`${name}.ext`), `subjectAltName=${subjects}\n`)
      const signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", `${name}.ext`]
      openssl("x509", "-req", "-in", `${name}.csr`, "-out", `${name}.pem`, "-days", "2", ...signing)
      return {
        certPath: path(`${name}.pem`),
        keyPath: path(`${name}.key`),
        cert: readFileSync(path(`${name}.pem`), "utf8"),
        key: readFileSync(path(`${name}.key`), "utf8")
      }
    }
  }
})

const speaksTls = (): boolean => execFileSync("memcached", ["-h"]).includes("--enable-ssl")

/** A memcached that speaks TLS. Where the program was built without it, Node ends the TLS in front of it. */
export const memcachedWithTls = (
  { certPath, cert, key, keyPath }: Certificate,
  clients: { readonly ca: string; readonly caPath: string } | undefined = undefined
) =>
  Effect.gen(function* () {
    if (speaksTls()) {
      const verified = clients === undefined ? "" : `,ssl_verify_mode=2,ssl_ca_cert=${clients.caPath}`
      const options = `ssl_chain_cert=${certPath},ssl_key=${keyPath}${verified}`
      return (yield* memcached({ args: ["-Z", "-o", options] })).port
    }
    const { host, port } = yield* memcached()
    const options = { cert, key, ...(clients === undefined ? {} : { ca: clients.ca, requestCert: true }) }
    const relay = yield* Effect.acquireRelease(
      Effect.async<ReturnType<typeof createServer>>((resume) => {
        const server = createServer(options, (client) => {
          const upstream = connect(port, host)
          const end = () => {
            client.destroy()
            upstream.destroy()
          }
          for (const socket of [client, upstream]) socket.on("error", end).on("close", end)
          client.pipe(upstream).pipe(client)
        })
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) => Effect.sync(() => server.close())
    )
    const bound = relay.address()
    return typeof bound === "object" && bound !== null ? bound.port : 0
  })
