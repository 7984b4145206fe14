/** What is left of a request when the SDK's spare parts are off the client: all that matters. */
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { S3Driver, type S3DriverOptions } from '../../../src/drivers/s3/s3-driver.ts'

let server: Server
let seen: IncomingHttpHeaders[] = []

beforeAll(async () => {
  server = createServer((request, response) => {
    seen.push(request.headers)
    request
      .resume()
      .on('end', () => response.writeHead(200, { ETag: '"e"', 'Content-Length': 0, 'Last-Modified': new Date(0).toUTCString() }).end())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})

afterAll(() => new Promise((resolve) => server.close(resolve)))

beforeEach(() => {
  seen = []
})

function driverOf(options: Partial<S3DriverOptions>): S3Driver {
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return new S3Driver({ transport: 'sdk', bucket: 'trimmed', region: 'us-east-1', endpoint, pathStyle: true, ...options })
}

const keys = { key: 'AKIDEXAMPLE', secret: 'secret' }

describe('requests', () => {
  it('say who sends them, and do not wait for a 100 Continue', async () => {
    const driver = driverOf(keys)
    const bytes = Buffer.alloc(3 * 1024 * 1024)
    await driver.write(
      'large',
      {
        size: bytes.byteLength,
        replayable: true,
        bytes,
        stream: async function* () {
          yield bytes
        },
      },
      {},
    )
    await driver.close()
    expect(seen).toHaveLength(1)
    expect(seen[0]).toMatchObject({ 'user-agent': 'stowage (aws-sdk-js)', authorization: expect.stringContaining('AWS4-HMAC-SHA256') })
    expect(seen[0]).not.toHaveProperty('expect')
  })

  it('are signed with the credentials of the moment', async () => {
    let asked = 0
    const driver = driverOf({
      credentials: async () => ({ accessKeyId: `AKID${++asked}`, secretAccessKey: 'secret', expiration: new Date(Date.now() + 1_000) }),
    })
    await driver.stat('a', {})
    await driver.stat('a', {})
    await driver.close()
    const signers = seen.map(({ authorization }) => /Credential=(\w+)/.exec(authorization ?? '')?.[1])
    expect(new Set(signers).size).toBe(2)
  })

  it('differ in their signatures, when they are sent one after the other', async () => {
    const driver = driverOf(keys)
    await driver.stat('a', {})
    await driver.stat('b', {})
    await driver.close()
    const signatures = seen.map(({ authorization }) => /Signature=(\w{64})$/.exec(authorization ?? '')?.[1])
    expect(signatures.every((signature) => signature !== undefined)).toBe(true)
    expect(signatures[0]).not.toBe(signatures[1])
  })

  it('carry the trace of a Lambda function', async () => {
    process.env['AWS_LAMBDA_FUNCTION_NAME'] = 'function'
    process.env['_X_AMZN_TRACE_ID'] = 'Root=1-5759e988-bd862e3fe1be46a994272793'
    try {
      const driver = driverOf(keys)
      await driver.stat('a', {})
      await driver.close()
      expect(seen[0]).toHaveProperty('x-amzn-trace-id', 'Root=1-5759e988-bd862e3fe1be46a994272793')
    } finally {
      delete process.env['AWS_LAMBDA_FUNCTION_NAME']
      delete process.env['_X_AMZN_TRACE_ID']
    }
  })
})
