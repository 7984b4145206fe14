/**
 * A data connection: passive, on a port that the server names, to the address of the control connection. What address the server
 * says is never believed: behind address translation it is wrong, and believing it would let a server point its clients at others.
 *
 *   EPSV (RFC 2428), else PASV ─▶ connect ─▶ TLS, which resumes the session of the control connection
 */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { FTPContext } from 'basic-ftp'
import { nodeNet, nodeTls } from '../../builtins.ts'
import { UnavailableError } from '../../errors.ts'
import type { Control } from './control.ts'
import { isRefused, LostError } from './ftp-errors.ts'

/** How passive connections are asked for; found out at the first. */
export type PassiveCommand = 'EPSV' | 'PASV'

export interface DataRoute {
  readonly control: Control
  readonly context: FTPContext
  readonly passiveHost: string | undefined
  /** What worked before on this connection. */
  passive: PassiveCommand | undefined
}

export interface DataConnection {
  readonly socket: Socket
  /** Servers begin with TLS before or after their first reply, so that it is begun at once and waited for later. */
  readonly secured: Promise<void>
}

/** Connected, and on its way to TLS. */
export async function openData(route: DataRoute, signal: AbortSignal | undefined): Promise<DataConnection> {
  const port = await passivePort(route, signal)
  const { control, context, passiveHost } = route
  const host = passiveHost ?? context.socket.remoteAddress
  if (host === undefined) throw new LostError(undefined)
  const socket = nodeNet().connect({ host, port })
  socket.on('error', () => undefined) // met by whoever waits; a socket without a listener would end the process
  try {
    await control.bounded(() => opened(socket, 'connect'), { signal })
  } catch (error) {
    socket.destroy()
    throw error
  }
  if (!context.hasTLS) return { socket, secured: Promise.resolve() }
  const secure = overTls(socket, context)
  const secured = opened(secure, 'secureConnect')
  secured.catch(() => undefined) // met by whoever waits for it
  return { socket: secure, secured }
}

function overTls(socket: Socket, context: FTPContext): TLSSocket {
  const control = context.socket as TLSSocket
  const secure = nodeTls().connect({ ...context.tlsOptions, socket, session: context.tlsSessionStore ?? control.getSession() })
  secure.on('error', () => undefined)
  secure.on('session', (session) => (context.tlsSessionStore = session)) // a ticket of TLS 1.3 is good for one connection
  return secure
}

async function passivePort(route: DataRoute, signal: AbortSignal | undefined): Promise<number> {
  if (route.passive !== 'PASV') {
    const port = await askPort(route, 'EPSV', signal)
    if (port !== undefined) return port
  }
  const port = await askPort(route, 'PASV', signal)
  if (port === undefined) throw new UnavailableError('the server does not open passive data connections')
  return port
}

async function askPort(route: DataRoute, command: PassiveCommand, signal: AbortSignal | undefined): Promise<number | undefined> {
  try {
    const { message } = await route.control.command(command, signal)
    const port = command === 'EPSV' ? epsvPort(message) : pasvPort(message)
    if (port !== undefined) route.passive = command
    return port
  } catch (error) {
    if (route.passive === undefined && isRefused(error)) return undefined
    throw error
  }
}

/** `229 Entering Extended Passive Mode (|||6446|)` */
function epsvPort(message: string): number | undefined {
  const [, , port] = /\((\D)\1\1(\d{1,5})\1\)/.exec(message) ?? []
  return port === undefined ? undefined : Number(port)
}

/** `227 Entering Passive Mode (192,168,1,100,10,229)` */
function pasvPort(message: string): number | undefined {
  const [, high, low] = /(?:\d{1,3},){4}(\d{1,3}),(\d{1,3})/.exec(message) ?? []
  return high === undefined || low === undefined ? undefined : (Number(high) & 255) * 256 + (Number(low) & 255)
}

function opened(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error?: unknown): void => reject(new LostError(error))
    if (socket.destroyed) fail(socket.errored)
    socket.once('error', fail)
    socket.once('close', () => fail())
    socket.once(event, () => resolve())
  })
}
