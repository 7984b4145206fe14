/** Requests that a test lets go wrong: answers in Google's form, and trouble on the wire. */
import { describe, expect, it } from '@jest/globals'
import type { FaultRule } from '../../support/gcs-server/control.ts'
import { remoteControls } from '../../support/gcs-server/control.ts'
import { apiClient, reasonOf } from './api-client.ts'

const api = apiClient()

/** A bucket, and a rule for it alone. */
async function faulted(rule: FaultRule): Promise<string> {
  const bucket = await api.bucket()
  await api.put(bucket, 'a', 'hello')
  await api.server.controls.fault({ ...rule, url: `${bucket}.*${rule.url ?? ''}` })
  return bucket
}

const broken = async (asked: Promise<unknown>): Promise<boolean> => asked.then(() => false).catch(() => true)

describe('a fault', () => {
  it.each([
    [429, 'rateLimitExceeded', 'usageLimits'],
    [503, 'backendError', 'global'],
    [500, 'backendError', 'global'],
    [403, 'forbidden', 'global'],
  ])('answers %i %s, once', async (status, reason, domain) => {
    const bucket = await faulted({ status, headers: { 'retry-after': '1' } })
    const answer = await api.object(bucket, 'a')
    const { errors } = answer.json['error'] as { errors: readonly object[] }
    expect([answer.status, answer.headers.get('retry-after'), errors[0]]).toEqual([
      status,
      '1',
      expect.objectContaining({ reason, domain }),
    ])
    expect((await api.object(bucket, 'a')).status).toBe(200)
  })

  it('is of one method and address, after some that are spared, as often as it is told', async () => {
    const bucket = await faulted({ status: 503, method: 'GET', url: 'alt=media', times: 2, skip: 1, reason: 'special', message: 'Mine.' })
    expect((await api.put(bucket, 'b')).status).toBe(200)
    const statuses: number[] = []
    for (let turn = 0; turn < 4; turn++) statuses.push((await api.object(bucket, 'a', '?alt=media')).status)
    expect([statuses, (await api.object(bucket, 'a')).status]).toEqual([[200, 503, 503, 200], 200])
  })

  it('says what it is told to say', async () => {
    const bucket = await faulted({ status: 503, reason: 'special', message: 'Mine.' })
    const answer = await api.object(bucket, 'a')
    expect([reasonOf(answer), answer.text]).toEqual(['special', expect.stringContaining('Mine.')])
  })

  it('carries nothing out: the upload that it answers is not stored', async () => {
    const bucket = await faulted({ status: 503, method: 'POST' })
    expect([(await api.put(bucket, 'a', 'new')).status, await api.content(bucket, 'a')]).toEqual([503, 'hello'])
  })

  it('breaks a connection before anything is done', async () => {
    const bucket = await faulted({ wire: 'reset', method: 'POST' })
    expect([await broken(api.put(bucket, 'a', 'new')), await api.content(bucket, 'a')]).toEqual([true, 'hello'])
  })

  it('breaks an upload in its middle, and nothing is stored', async () => {
    const bucket = await faulted({ wire: 'reset-upload', afterBytes: 300_000, method: 'POST' })
    expect(await broken(api.put(bucket, 'a', Buffer.alloc(2_000_000)))).toBe(true)
    expect(await api.content(bucket, 'a')).toBe('hello')
  })

  it('breaks a resumable upload in its middle, and whole blocks stay', async () => {
    const bucket = await faulted({ wire: 'reset-upload', afterBytes: 300_000, method: 'PUT' })
    const session = await api.session(bucket, 'a')
    expect(await broken(api.ask(session, { method: 'PUT', body: Buffer.alloc(2_000_000) }))).toBe(true)
    const { status, headers } = await api.ask(session, { method: 'PUT', headers: { 'content-range': 'bytes */*' } })
    expect([status, headers.get('range'), await api.content(bucket, 'a')]).toEqual([308, 'bytes=0-262143', 'hello'])
  })

  it('loses an answer, and what was asked is done', async () => {
    const bucket = await faulted({ wire: 'reset-after', method: 'POST' })
    expect([await broken(api.put(bucket, 'a', 'new')), await api.content(bucket, 'a')]).toEqual([true, 'new'])
  })

  it('truncates what it sends, or changes a byte of it', async () => {
    const cut = await faulted({ wire: 'truncate', afterBytes: 2, url: 'alt=media' })
    expect(await broken(api.object(cut, 'a', '?alt=media'))).toBe(true)
    const other = await faulted({ wire: 'corrupt', afterBytes: 1, url: 'alt=media' })
    const { text, status } = await api.object(other, 'a', '?alt=media')
    expect([status, text === 'hello', text.length, await api.content(other, 'a')]).toEqual([200, false, 5, 'hello'])
  })

  it('keeps silent until the caller gives up', async () => {
    const bucket = await faulted({ wire: 'stall' })
    const url = `${api.server.emulatorOrigin}/storage/v1/b/${bucket}/o/a`
    await expect(fetch(url, { signal: AbortSignal.timeout(100) })).rejects.toMatchObject({ name: 'TimeoutError' })
    expect((await api.object(bucket, 'a')).status).toBe(200)
  })

  it('can be set from another process, and taken back', async () => {
    const bucket = await api.bucket()
    const controls = remoteControls(api.server.origin)
    await controls.fault({ status: 503, url: bucket, times: 9 })
    expect((await api.ask(`/b/${bucket}`)).status).toBe(503)
    await controls.clearFaults()
    expect((await api.ask(`/b/${bucket}`)).status).toBe(200)
    expect((await controls.openUploads({ bucket })).count).toBe(0)
    expect((await controls.token()).token).toMatch(/^ya29/)
  })
})
