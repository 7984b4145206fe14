/**
 * A proxy for FTP that breaks control and data connections. It reads the answers to PASV and EPSV and puts itself between client and
 * server there, too, so it sees data connections of plain FTP alone; with TLS it passes the control connection on as it is.
 *
 *   const proxy = await ftpFaultProxy(server)
 *   proxy.injectData({ direction: 'up' }, { resetAfter: 1_000 })
 *   proxy.injectReply(/^STOR /, '421 Service not available')
 */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { deaf, shaped } from './fault-proxy.ts'
import { type Connections, countConnections, listenAnywhere, pump } from './forwarding.ts'

/** One of these. */
export interface DataFault {
  /** Both connections are reset after so many bytes. */
  readonly resetAfter?: number
  /** Nothing more passes after so many bytes. */
  readonly stallAfter?: number
  /** The receiver sees an end after so many bytes, as if that were all. What else is sent is taken, and dropped. */
  readonly endAfter?: number
  /** The byte at this offset has a bit flipped. */
  readonly corrupt?: number
  readonly bytesPerSecond?: number
}

export interface WantedData {
  /** `up` is from the client to the server. Listings come down, as files do. */
  readonly direction: 'up' | 'down'
  /** How many transfers in this direction that have bytes pass before. Default: 0 */
  readonly skip?: number
  /** Default: 1 */
  readonly times?: number
}

export interface FtpFaultProxy {
  readonly host: string
  readonly port: number
  readonly control: Connections
  readonly data: Connections
  /** What clients sent, without passwords. Nothing after AUTH. */
  readonly commands: readonly string[]
  /** How many commands and transfers met a fault. */
  readonly faulted: number
  injectData(wanted: WantedData, fault: DataFault): void
  /** The server does not see the command. A 421 closes the connection, as the protocol says. `times` defaults to 1. */
  injectReply(command: RegExp, reply: string, times?: number): void
  /** The control connection is reset in place of such a command. `times` defaults to 1. */
  injectReset(command: RegExp, times?: number): void
  /** No answer comes to such a command, ever, and the server does not see it. `times` defaults to 1. */
  injectSilence(command: RegExp, times?: number): void
  close(): Promise<void>
}

interface CommandFault {
  readonly command: RegExp
  readonly act: (client: Socket) => void
  times: number
}

interface InjectedData {
  readonly direction: 'up' | 'down'
  readonly fault: DataFault
  skip: number
  times: number
}

/** What the connections of one proxy share. */
interface Shared {
  readonly host: string
  readonly port: number
  readonly commands: string[]
  readonly commandFaults: CommandFault[]
  readonly dataFaults: InjectedData[]
  readonly dataServers: Set<Server>
  readonly dataSockets: Set<Socket>
  dataOpened: number
  faulted: number
}

export async function ftpFaultProxy({ host, port }: { readonly host: string; readonly port: number }): Promise<FtpFaultProxy> {
  const shared: Shared = {
    host,
    port,
    commands: [],
    commandFaults: [],
    dataFaults: [],
    dataServers: new Set(),
    dataSockets: new Set(),
    dataOpened: 0,
    faulted: 0,
  }
  const listener = createServer((client) => relayControl(client, shared))
  const control = countConnections(listener)
  const ownPort = await listenAnywhere(listener)
  const inject = (command: RegExp, times: number, act: (client: Socket) => void): void =>
    void shared.commandFaults.push({ command, times, act })
  return {
    host: '127.0.0.1',
    port: ownPort,
    control,
    data: {
      get opened() {
        return shared.dataOpened
      },
      get open() {
        return shared.dataSockets.size
      },
    },
    commands: shared.commands,
    get faulted() {
      return shared.faulted
    },
    injectData: ({ direction, skip = 0, times = 1 }, fault) => void shared.dataFaults.push({ direction, fault, skip, times }),
    injectReply: (command, reply, times = 1) =>
      inject(command, times, (client) => (reply.startsWith('421') ? client.end(`${reply}\r\n`) : client.write(`${reply}\r\n`))),
    injectReset: (command, times = 1) => inject(command, times, (client) => client.resetAndDestroy()),
    injectSilence: (command, times = 1) => inject(command, times, () => {}),
    close: async () => {
      control.destroyAll()
      for (const socket of shared.dataSockets) socket.destroy()
      for (const server of shared.dataServers) server.close()
      await new Promise((resolve) => listener.close(resolve))
    },
  }
}

/** Both directions of a control connection: by lines, until the client asks for TLS. */
function relayControl(client: Socket, shared: Shared): void {
  const server = connect(shared.port, shared.host)
  let plain = true
  let answers = Promise.resolve()
  eachLine(client, (part) => {
    const line = part.toString('utf8')
    plain &&= /^[A-Za-z]{3,4}( .*)?\r?\n$/.test(line)
    if (plain && meetsFault(line.trimEnd(), client, shared)) return
    server.write(part)
    plain &&= !/^AUTH /i.test(line)
  })
  eachLine(server, (part) => {
    const line = part.toString('latin1')
    answers = answers
      .then(async () => (plain && /^22[79] /.test(line) ? await throughProxy(line, shared) : part))
      .then((answer) => void client.write(answer))
  })
  for (const [one, other] of [
    [client, server],
    [server, client],
  ] as const) {
    one.on('error', () => other.destroy()).on('close', () => other.destroySoon())
  }
}

/** The lines of a chunk. Clients and servers of FTP send whole ones; what is none is handed on as it is. */
function eachLine(socket: Socket, take: (part: Buffer) => void): void {
  socket.on('data', (chunk: Buffer) => {
    for (let start = 0; start < chunk.length; ) {
      const found = chunk.indexOf('\n', start)
      const end = found === -1 ? chunk.length : found + 1
      take(chunk.subarray(start, end))
      start = end
    }
  })
}

function meetsFault(line: string, client: Socket, shared: Shared): boolean {
  shared.commands.push(line.replace(/^(PASS) .*/i, '$1 ***'))
  const fault = shared.commandFaults.find(({ command, times }) => times > 0 && command.test(line))
  if (fault === undefined) return false
  fault.times--
  shared.faulted++
  fault.act(client)
  return true
}

/** An answer to PASV or EPSV that leads to a port of the proxy. */
async function throughProxy(line: string, shared: Shared): Promise<string> {
  const extended = /^229 .*\(\|\|\|(\d+)\|\)/.exec(line)
  const [, high, low] = /^227 .*\(\d+,\d+,\d+,\d+,(\d+),(\d+)\)/.exec(line) ?? []
  const target = extended === null ? Number(high) * 256 + Number(low) : Number(extended[1])
  const listener = createServer({ allowHalfOpen: true }, (client) => {
    listener.close()
    void transfer(client, target, shared)
  })
  shared.dataServers.add(listener)
  listener.on('close', () => shared.dataServers.delete(listener))
  const port = await listenAnywhere(listener)
  if (extended !== null) return `229 Entering Extended Passive Mode (|||${port}|)\r\n`
  return `227 Entering Passive Mode (127,0,0,1,${Math.floor(port / 256)},${port % 256}).\r\n`
}

/** Senders whose receivers were told that it is over. */
const draining = new WeakSet<Socket>()

async function transfer(client: Socket, target: number, shared: Shared): Promise<void> {
  shared.dataOpened++
  shared.dataSockets.add(client)
  const server = connect({ port: target, host: shared.host, allowHalfOpen: true })
  server.on('error', () => client.destroy()).on('close', () => client.destroySoon())
  client
    .on('error', () => {})
    .on('close', () => {
      shared.dataSockets.delete(client)
      if (!draining.has(server)) server.destroySoon()
    })
  await Promise.all([carry(client, server, { direction: 'up', shared }), carry(server, client, { direction: 'down', shared })])
}

/** One direction of a data connection. The first bytes decide whether it meets a fault. */
async function carry(from: Socket, to: Socket, { direction, shared }: { direction: 'up' | 'down'; shared: Shared }): Promise<void> {
  const incoming = from.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>
  try {
    const first = await incoming.next()
    if (first.done === true) return void to.end()
    await pump(broken(withFirst(first.value, incoming), { from, to, direction, fault: takeData(direction, shared) }), to)
  } catch {
    to.destroy()
  }
}

interface Carried {
  readonly from: Socket
  readonly to: Socket
  readonly direction: 'up' | 'down'
  readonly fault: DataFault
}

async function* withFirst(first: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield first
  yield* rest
}

function broken(bytes: AsyncIterable<Buffer>, { from, to, direction, fault }: Carried): AsyncIterable<Buffer> {
  const { resetAfter, stallAfter, endAfter, bytesPerSecond, corrupt } = fault
  const gone = (): Promise<never> =>
    new Promise((_resolve, reject) => {
      for (const event of ['close', 'end']) to.once(event, () => reject(new Error('the connection is gone')))
    })
  if (endAfter !== undefined) draining.add(from)
  const act = async (): Promise<void> => {
    if (endAfter !== undefined) return void to.end()
    if (stallAfter !== undefined) return Promise.race([deaf(), gone()])
    for (const socket of [to, from]) socket.resetAndDestroy()
  }
  const atEnd = stallAfter === undefined ? async (): Promise<void> => {} : () => (direction === 'up' ? vanished() : gone())
  return shaped(bytes, { flip: corrupt, bytesPerSecond, until: resetAfter ?? stallAfter ?? endAfter, act, atEnd })
}

async function vanished(): Promise<never> {
  throw new Error('the client is gone')
}

function takeData(direction: 'up' | 'down', shared: Shared): DataFault {
  for (const candidate of shared.dataFaults) {
    if (candidate.direction !== direction || candidate.times <= 0 || candidate.skip-- > 0) continue
    candidate.times--
    shared.faulted++
    return candidate.fault
  }
  return {}
}
