import "memjs"

declare module "memjs" {
  /** What `@types/memjs` leaves out. */
  interface Server {
    respond(response: Response): void
  }
}
