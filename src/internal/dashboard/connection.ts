/** What can be known of, and done to, the connection of one viewer: much on Node, nothing on other platforms. */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"

export interface Connection {
  /** Node's server stops to listen when it closes, and then waits for each request without end; it tells nobody. */
  readonly isClosing: () => boolean
  /** Ends the request of a viewer that reads nothing: its stream waits for the viewer, and does not see that it has ended. */
  readonly cut: () => void
}

interface NodeSocket {
  readonly server?: { readonly listening?: boolean }
  readonly destroy?: () => void
}

export const connectionOf = ({ source }: HttpServerRequest.HttpServerRequest): Connection => {
  // Of another platform's request nothing of this is there.
  const { socket } = source as { readonly socket?: NodeSocket }
  return {
    isClosing: () => socket?.server?.listening === false,
    cut: () => socket?.destroy?.()
  }
}
