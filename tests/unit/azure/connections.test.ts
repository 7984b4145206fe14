/** Connections to Azure, against a server that says how long it keeps them. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { Disk } from '../../../src/disk.ts'
import { AzureDriver } from '../../../src/drivers/azure/azure-driver.ts'

const KEY = Buffer.alloc(32, 1).toString('base64')
const FACTS = { 'content-length': '3', etag: '"0x1"', 'last-modified': new Date(0).toUTCString(), 'x-ms-blob-type': 'BlockBlob' }
/** Node closes idle connections a second earlier than this. */
const KEPT = { 'keep-alive': 'timeout=2' }
const SLOW_MS = 1_500

let server: Server
let disk: Disk
const sockets = new Set<unknown>()
let answers = 0

beforeAll(async () => {
  server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    sockets.add(request.socket)
    setTimeout(() => response.writeHead(200, { ...FACTS, ...KEPT }).end(), ++answers === 2 ? SLOW_MS : 0)
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/account`
  disk = new Disk(new AzureDriver({ container: 'files', accountName: 'account', accountKey: KEY, endpoint, retries: 0 }))
})

afterAll(async () => {
  await disk.close()
  server.closeAllConnections()
  server.close()
})

it('a slow answer over a connection that was idle is waited for, however short the server keeps idle ones', async () => {
  expect(await disk.size('a.txt')).toBe(3)
  await sleep(50) // until it is idle
  expect(await disk.size('a.txt')).toBe(3)
  expect([answers, sockets.size]).toEqual([2, 1])
})
