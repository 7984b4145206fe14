/**
 * A store that writes down what it is asked, at whatever address a preset makes up: connections go here, over TLS, and the requests
 * say where they meant to go.
 *
 *   disk ── tls: { host, port } ──▶ TLS here ──▶ recording proxy
 */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, createServer } from 'node:tls'
import { promisify } from 'node:util'
import { recordingProxy, type RecordedRequest } from '../../support/recording-proxy.ts'

export interface TlsRecorder {
  readonly requests: RecordedRequest[]
  /** For a disk's `tls`. */
  readonly tls: ConnectionOptions
  close(): Promise<void>
}

export async function tlsRecorder(): Promise<TlsRecorder> {
  const proxy = await recordingProxy({ answer: ({ method, url }) => answerTo(method, url) })
  const { port: upstream } = new URL(proxy.endpoint)
  const sockets = new Set<{ destroy(): unknown }>()
  const server = createServer(await certificate(), (socket) => {
    const behind = connect(Number(upstream), '127.0.0.1')
    for (const each of [socket, behind]) sockets.add(each.on('error', () => undefined))
    socket.pipe(behind).pipe(socket)
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    requests: proxy.requests,
    tls: { host: '127.0.0.1', port, rejectUnauthorized: false },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
      await proxy.close()
    },
  }
}

function answerTo(method: string, url: string) {
  if (method === 'POST' && url.includes('uploads'))
    return { status: 200, body: '<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>' }
  if (method === 'POST') return { status: 200, body: '<CompleteMultipartUploadResult><ETag>"1-2"</ETag></CompleteMultipartUploadResult>' }
  if (method === 'HEAD') return { status: 200, headers: { 'content-length': '3', etag: '"1"', 'last-modified': new Date(0).toUTCString() } }
  return { status: 200, headers: { etag: '"1"' } }
}

export async function certificate(): Promise<{ key: Buffer; cert: Buffer }> {
  const folder = await mkdtemp(join(tmpdir(), 'stowage-tls-'))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
  await promisify(execFile)('openssl', [
    'req',
    '-x509',
    ...curve,
    '-nodes',
    '-keyout',
    key,
    '-out',
    cert,
    '-subj',
    '/CN=store',
    '-addext',
    'subjectAltName=IP:127.0.0.1',
    '-days',
    '2',
  ])
  const pair = { key: await readFile(key), cert: await readFile(cert) }
  await rm(folder, { recursive: true })
  return pair
}
