import { describe, expect, it } from '@jest/globals'
import { type Asked, closedAfterEach, ending, errorXml, ETAG, type Lean, meetings } from './scripted-store.ts'

const closing = closedAfterEach()
const meeting = meetings(closing)

/** 200, spaces to keep the connection alive, and then what came of it. */
async function late({ body, response }: Asked, xml: string): Promise<void> {
  await body()
  response.writeHead(200, { 'content-type': 'application/xml', 'x-amz-request-id': 'R0' })
  response.write('<?xml version="1.0" encoding="UTF-8"?>\n')
  response.write(' '.repeat(50))
  response.end(xml.replace(/^<\?xml[^>]*>/, ''))
}

type Ask = (requests: Lean['requests'], condition?: { readonly ifAbsent?: boolean }) => Promise<unknown>

const upload = { key: 'a', uploadId: 'u' }
const parts = [{ number: 1, etag: ETAG, size: 5 }]
const etag = `<ETag>${ETAG}</ETag>`
const commands: readonly (readonly [name: string, well: string, ask: Ask])[] = [
  [
    'CopyObject',
    `<CopyObjectResult>${etag}</CopyObjectResult>`,
    (requests, condition) => requests.copy('a', 'b', { replace: false, ...condition }),
  ],
  [
    'CompleteMultipartUpload',
    `<CompleteMultipartUploadResult>${etag}</CompleteMultipartUploadResult>`,
    (requests, condition) => requests.completeUpload(upload, parts, { ...condition }),
  ],
  [
    'UploadPartCopy',
    `<CopyPartResult>${etag}</CopyPartResult>`,
    (requests) => requests.copyPart({ ...upload, number: 1 }, { key: 'x', start: 0, end: 5 }, {}),
  ],
  ['DeleteObjects', '<DeleteResult/>', (requests) => requests.deleteMany(['a', 'b'], {})],
]

describe.each(commands)('%s that fails after its status was sent', (_name, well, ask) => {
  it.each(['InternalError', 'SlowDown', 'ServiceUnavailable'])('is repeated: %s', async (code) => {
    const { requests, asked, connections } = await meeting((each) => late(each, each.index < 2 ? errorXml(code) : well))
    await ask(requests)
    expect([asked.length, connections.opened]).toEqual([3, 1])
  })

  it.each([
    ['AccessDenied', 'permission_denied'],
    ['NoSuchBucket', 'configuration'],
    ['PreconditionFailed', 'precondition_failed'],
    ['NoSuchUpload', 'invalid_argument'],
    ['SomethingElse', 'invalid_argument'],
  ])('is told: %s', async (code, outcome) => {
    const { requests, asked } = await meeting((each) => late(each, errorXml(code)))
    const { error } = await ending(ask(requests))
    expect(error).toMatchObject({ code: outcome, cause: { code, requestId: 'R1', attempts: 1 } })
    expect(asked.length).toBe(1)
  })

  it('is repeated when its answer is cut, and told when it is none', async () => {
    const cut = await meeting((each) => {
      if (each.index > 0) return late(each, well)
      each.response.writeHead(200, { 'content-length': '1000' }).write('<?xml version="1.0"?>   ', () => each.socket.destroy())
      return undefined
    })
    await ask(cut.requests)
    expect(cut.asked.length).toBe(2)
    const none = await meeting((each) => late(each, '<html><body>Please log in</body></html>'))
    expect((await ending(ask(none.requests))).error).toMatchObject({ code: 'unavailable', retryable: false })
    expect(none.asked.length).toBe(1)
  })
})

it.each(commands.slice(0, 2))('%s under a condition is not repeated when it failed for an unknown reason', async (_name, _well, ask) => {
  const { requests, asked } = await meeting((each) => late(each, errorXml('InternalError')))
  expect((await ending(ask(requests, { ifAbsent: true }))).outcome).toBe('unavailable')
  expect(asked.length).toBe(1)
})

it('DeleteObjects tells of each key what became of it', async () => {
  const failed = (key: string, code: string): string => `<Error><Key>${key}</Key><Code>${code}</Code><Message>m</Message></Error>`
  const { requests } = await meeting((each) =>
    late(each, `<DeleteResult>${failed('a', 'AccessDenied')}${failed('b', 'NoSuchKey')}${failed('c', 'InternalError')}</DeleteResult>`),
  )
  const failures = await requests.deleteMany(['a', 'b', 'c'], {})
  expect(failures.map(({ key, error }) => [key, error.code])).toEqual([
    ['a', 'permission_denied'],
    ['c', 'unavailable'],
  ])
})
