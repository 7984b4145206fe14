/** Sockets to a store, as `node:http` opens them: bare, or over TLS. */
import type { OnReadOpts, Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { nodeNet, nodeTls } from '../../../builtins.ts'
import type { Origin } from './origin.ts'

export interface SocketSettings {
  /** Whatever it has comes before what the origin says, as with an agent of `node:https`. */
  readonly tls: ConnectionOptions | undefined
  /** Of a connection before this one, to the same place. */
  readonly session: Buffer | undefined
  readonly onread: OnReadOpts
}

const KEEP_ALIVE_MS = 1_000

/** Begins to connect: `connect` or `secureConnect` says when it has. @throws what Node says of options that are none */
export function openSocket({ isSecure, hostname: host, port }: Origin, { tls, session, onread }: SocketSettings): Socket {
  const to = { host, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS, onread }
  if (!isSecure) return nodeNet().connect({ ...to, port: Number(port ?? 80) })
  const servername = nodeNet().isIP(host) === 0 ? host : ''
  const options = { ...to, port: Number(port ?? 443), servername, ALPNProtocols: ['http/1.1'], session, ...tls }
  return nodeTls().connect(options)
}
