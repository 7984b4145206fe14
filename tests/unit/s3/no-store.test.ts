/** Something that answers 200 to everything is no store: a console on another port, a proxy, a page to log in. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { Disk } from '../../../src/disk.ts'
import { S3Driver } from '../../../src/drivers/s3/s3-driver.ts'

let server: Server
let endpoint: string

beforeAll(async () => {
  server = createServer((request, response) => {
    request.resume()
    response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>Console</title>')
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterAll(() => {
  server.closeAllConnections()
  server.close()
})

describe.each(['lean', 'sdk'] as const)('a page where a store should be, asked by the transport "%s"', (transport) => {
  let disk: Disk
  beforeAll(() => {
    const options = { bucket: 'files', region: 'us-east-1', endpoint, key: 'key', secret: 'secret', retries: 0, transport }
    disk = new Disk(new S3Driver(options))
  })
  afterAll(() => disk.close())

  it('takes no file', () => expect(disk.put('a.txt', 'x')).rejects.toMatchObject({ code: 'unavailable', retryable: false }))
  it('has no file', () => expect(disk.get('a.txt')).rejects.toMatchObject({ code: 'unavailable', retryable: false }))
  it('has no facts', () => expect(disk.stat('a.txt')).rejects.toMatchObject({ code: 'unavailable', retryable: false }))
  it('has no listing', () => expect(disk.files()).rejects.toMatchObject({ code: 'unavailable' }))
  it('has no directory to make', () => expect(disk.makeDirectory('a')).rejects.toMatchObject({ code: 'unavailable' }))
})

it('looks for a bucket of localhost in the path', async () => {
  const local = new Disk(new S3Driver({ bucket: 'files', region: 'us-east-1', endpoint: 'http://localhost:9000', key: 'k', secret: 's' }))
  await expect(local.url('a.txt')).resolves.toBe('http://localhost:9000/files/a.txt')
})
