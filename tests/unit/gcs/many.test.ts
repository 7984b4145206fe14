/** Very many objects: the store's side of `objects.list` as its documentation has it, over names that are made up. */
import { afterEach, expect, it } from '@jest/globals'
import { Disk } from '../../../src/disk.ts'
import { GcsDriver } from '../../../src/drivers/gcs/gcs-driver.ts'
import { type RecordedRequest, type RecordingProxy, recordingProxy } from '../../support/recording-proxy.ts'

const NAMES = Array.from({ length: 25_000 }, (_, index) => `d/${String(index).padStart(5, '0')}`)
const MAX_RESULTS = 1_000

let store: RecordingProxy | undefined
afterEach(async () => store?.close())

/** A page: from the first name that is not below `startOffset` or the token, at most so many as are asked for. */
function page({ query }: RecordedRequest): { status: number; body: string } {
  const from = query.get('pageToken') ?? query.get('startOffset') ?? ''
  const first = NAMES.findIndex((name) => name >= from && name.startsWith(query.get('prefix') ?? ''))
  const begin = first === -1 ? NAMES.length : first
  const end = begin + Math.min(MAX_RESULTS, Number(query.get('maxResults')))
  const items = NAMES.slice(begin, end).map((name) => ({ name, size: '1', updated: '2026-01-01T00:00:00Z', generation: '1' }))
  return { status: 200, body: JSON.stringify({ items, nextPageToken: NAMES[end] }) }
}

it('lists 25,000 files, each once, in 25 requests', async () => {
  store = await recordingProxy({ answer: page })
  const disk = new Disk(new GcsDriver({ bucket: 'bucket', endpoint: store.endpoint }), { name: 'gcs' })
  const seen: string[] = []
  for await (const { path } of disk.list('d')) seen.push(path)
  expect(seen).toEqual(NAMES)
  expect(store.requests.length).toBe(25)
  await disk.close()
})

it('lists them with the directory that they are in, page after page', async () => {
  store = await recordingProxy({ answer: page })
  const disk = new Disk(new GcsDriver({ bucket: 'bucket', endpoint: store.endpoint }), { name: 'gcs' })
  const seen: string[] = []
  for await (const { path } of disk.list('', { recursive: true, pageSize: 777 })) seen.push(path)
  expect(seen).toEqual(['d', ...NAMES])
  await disk.close()
})
