/** What Amazon does and others do not: conditions in CopyObject. Asked of a server that writes down requests, over TLS as they are sent. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { Disk } from '../../../src/disk.ts'
import { S3Driver } from '../../../src/drivers/s3/s3-driver.ts'
import { tlsRecorder, type TlsRecorder } from '../s3-presets/tls-recorder.ts'

let recorder: TlsRecorder
let disk: Disk | undefined

beforeAll(async () => {
  recorder = await tlsRecorder()
})
afterEach(async () => {
  await disk?.close()
  recorder.requests.length = 0
})
afterAll(() => recorder.close())

describe.each(['lean', 'sdk'] as const)('a copy under a condition, over the transport "%s"', (transport) => {
  const copy = async (options: { readonly ifAbsent?: boolean; readonly ifMatch?: string }): Promise<void> => {
    disk = new Disk(new S3Driver({ bucket: 'b-1', region: 'eu-west-1', key: 'k', secret: 's', tls: recorder.tls, retries: 0, transport }))
    await disk.copy('a.txt', 'b.txt', options).catch(() => undefined) // the recorder's answer is none that a copy has
  }

  it('that nothing may be there is one request', async () => {
    await copy({ ifAbsent: true })
    expect(recorder.requests.map(({ method }) => method)).toEqual(['PUT'])
    expect(recorder.requests[0]?.headers).toMatchObject({
      host: 'b-1.s3.eu-west-1.amazonaws.com',
      'if-none-match': '*',
      'x-amz-copy-source': 'b-1/a.txt',
      'x-amz-metadata-directive': 'COPY',
    })
  })

  it('on the etag of the target finds out first whether the source is there: both would be missing in the same words', async () => {
    await copy({ ifMatch: '"2"' })
    expect(recorder.requests.map(({ method, path }) => `${method} ${path}`)).toEqual(['HEAD /a.txt', 'PUT /b.txt'])
    expect(recorder.requests[1]?.headers).toMatchObject({ 'if-match': '2', 'x-amz-copy-source-if-match': '1' })
  })
})
