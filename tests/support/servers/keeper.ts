/** The process that holds a run's servers: see keeper-client.ts. Ends, and ends them, when its standard input closes. */
import { writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { startSharedBuild } from '../packed-package.ts'
import { startAzurite } from './azurite.ts'
import { startClamd } from './clamd.ts'
import { startSharedCertificates } from './certificates.ts'
import { startGcs } from './gcs-server.ts'
import { startTime, sweep } from './processes.ts'
import { startProftpd } from './proftpd.ts'
import { startRadosgw } from './radosgw.ts'
import { startRedis } from './redis-server.ts'
import { startVsftpd } from './vsftpd.ts'

type Start = (run: string, options: never) => Promise<object>

/** Servers, and what else is made once. */
const SERVERS: Readonly<Record<string, Start>> = {
  azurite: startAzurite,
  certificates: startSharedCertificates,
  clamd: startClamd,
  gcs: startGcs,
  package: startSharedBuild,
  proftpd: startProftpd,
  radosgw: startRadosgw,
  redis: startRedis,
  vsftpd: startVsftpd,
}

const run = process.argv[2] as string
const started = new Map<string, Promise<object>>()

/** Each server once per set of options; a start that failed has failed for the run. */
function startOnce(name: string, options: string): Promise<object> {
  const key = `${name} ${options}`
  const start = SERVERS[name]
  if (start === undefined) return Promise.reject(new Error(`no test server is called ${name}`))
  const running = started.get(key) ?? start(run, JSON.parse(options) as never)
  started.set(key, running)
  return running
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const facts = await startOnce((request.url ?? '').slice(1), await text(request))
    response.end(JSON.stringify(facts))
  } catch (error) {
    response.statusCode = 500
    response.end(error instanceof Error ? error.message : String(error))
  }
}

let ending = false
function end(): void {
  if (ending) return
  ending = true
  server.close()
  sweep(run).then(
    () => process.exit(0),
    (error: unknown) => {
      console.error(error)
      process.exit(1)
    },
  )
}

const server = createServer((request, response) => void answer(request, response))
server.requestTimeout = 0
writeFileSync(join(run, 'keeper'), JSON.stringify({ pid: process.pid, started: startTime(process.pid) }))
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
process.stdin.on('end', end).on('close', end).on('error', end).resume()
process.on('SIGTERM', end).on('SIGINT', end).on('SIGHUP', end)
