import { afterAll, describe, expect, it } from '@jest/globals'
import { CreateMultipartUploadCommand, DeleteObjectCommand, ListMultipartUploadsCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { pruneIncompleteUploads } from '../../../src/drivers/s3/prune.ts'
import { versions } from '../../../src/drivers/s3/versions.ts'
import { bench, type Parts } from './support.ts'

const { parts, clear } = bench()
afterAll(clear)

const ODD = 'ünï/a b+c%20&日本😀.txt'

async function put({ client, bucket }: Parts, key: string, body: string): Promise<string | undefined> {
  return (await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }))).VersionId
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = []
  for await (const item of items) found.push(item)
  return found
}

describe('the versions of a file', () => {
  it('are told, the newest first, with its deletions', async () => {
    const disk = await parts()
    await disk.buckets.versioning.set('enabled')
    const first = await put(disk, ODD, '1')
    const second = await put(disk, ODD, '22')
    const { VersionId: marker } = await disk.client.send(new DeleteObjectCommand({ Bucket: disk.bucket, Key: ODD }))
    const found = await all(versions(disk, ODD))
    expect(found).toMatchObject([
      { versionId: marker, isLatest: true, deleted: true, size: 0, etag: undefined },
      { versionId: second, isLatest: false, deleted: false, size: 2, etag: expect.stringMatching(/^"\w+"$/) },
      { versionId: first, isLatest: false, deleted: false, size: 1, storageClass: 'STANDARD' },
    ])
    expect(found.every(({ lastModified }) => lastModified !== undefined && lastModified.getTime() > 0)).toBe(true)
  })

  it('are not those of files whose names begin the same', async () => {
    const disk = await parts()
    await disk.buckets.versioning.set('enabled')
    for (const key of ['a', 'a', 'a.txt', 'a/b', 'ab', 'A', 'B']) await put(disk, key, key)
    expect(await all(versions(disk, 'a'))).toHaveLength(2)
    expect(await all(versions(disk, 'a/b'))).toHaveLength(1)
    expect(await all(versions(disk, 'missing'))).toEqual([])
  })

  it('are one, with the id null, where the bucket never had versions', async () => {
    const disk = await parts()
    await put(disk, 'a', 'x')
    expect(await all(versions(disk, 'a'))).toMatchObject([{ versionId: 'null', isLatest: true, deleted: false, size: 1 }])
  })

  it('go on over pages', async () => {
    const disk = await parts()
    await disk.buckets.versioning.set('enabled')
    const ids: (string | undefined)[] = []
    for (let i = 0; i < 1_003; i += 51) {
      const batch = Array.from({ length: Math.min(51, 1_003 - i) }, () => put(disk, 'a', `${i}`))
      ids.push(...(await Promise.all(batch)))
    }
    await put(disk, 'b', 'x')
    const found = await all(versions(disk, 'a'))
    expect(found.map(({ versionId }) => versionId).toSorted()).toEqual(ids.map(String).toSorted())
    expect(found.filter(({ isLatest }) => isLatest)).toHaveLength(1)
  }, 60_000)

  it('are refused where the store has none, and for keys that are too long', async () => {
    const none = await parts({ preset: 'r2', create: false })
    await expect(all(versions(none, 'a'))).rejects.toMatchObject({ code: 'unsupported' })
    await expect(all(versions(none, 'a'.repeat(1_025)))).rejects.toMatchObject({ code: 'unsupported' })
    const some = await parts({ create: false })
    await expect(all(versions(some, 'a'.repeat(1_025)))).rejects.toMatchObject({ code: 'invalid_path' })
  })

  it('of a missing bucket are a wrong configuration', async () => {
    const disk = await parts({ create: false })
    await expect(all(versions(disk, 'a'))).rejects.toMatchObject({ code: 'configuration', operation: 'list', path: 'a' })
  })
})

describe('incomplete uploads', () => {
  async function begin({ client, bucket }: Parts, key: string): Promise<string | undefined> {
    return (await client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: key }))).UploadId
  }

  async function left({ client, bucket }: Parts): Promise<(string | undefined)[]> {
    return ((await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))).Uploads ?? []).map(({ Key }) => Key)
  }

  it('are aborted when they are older, and left alone when they are not', async () => {
    const disk = await parts()
    const ids = [await begin(disk, ODD), await begin(disk, 'b')]
    const kept = await pruneIncompleteUploads(disk, { olderThan: 3_600 })
    expect(kept).toEqual({ aborted: 0, uploads: [] })
    expect(await left(disk)).toHaveLength(2)
    const result = await pruneIncompleteUploads(disk, { olderThan: 3_600 }, new Date(Date.now() + 7_200_000))
    expect(result.aborted).toBe(2)
    expect(result.uploads.map(({ path, uploadId }) => [path, uploadId])).toEqual([
      ['b', ids[1]],
      [ODD, ids[0]],
    ])
    expect(result.uploads.every(({ started }) => Math.abs(Date.now() - started.getTime()) < 3_600_000)).toBe(true)
    expect(await left(disk)).toEqual([])
  })

  it('are told apart by a date', async () => {
    const disk = await parts()
    await begin(disk, 'a')
    expect((await pruneIncompleteUploads(disk, { olderThan: new Date(Date.now() - 3_600_000) })).aborted).toBe(0)
    expect((await pruneIncompleteUploads(disk, { olderThan: new Date(Date.now() + 3_600_000) })).aborted).toBe(1)
  })

  it('are those below a prefix only, when one is given', async () => {
    const disk = await parts()
    for (const key of ['tmp/a', 'tmp/b', 'tmpx']) await begin(disk, key)
    const later = new Date(Date.now() + 3_600_000)
    expect((await pruneIncompleteUploads(disk, { olderThan: later, prefix: 'tmp/' })).aborted).toBe(2)
    expect(await left(disk)).toEqual(['tmpx'])
  })

  it('are all found, over pages', async () => {
    const disk = await parts()
    const keys = Array.from({ length: 1_005 }, (_, i) => `a b/${String(i).padStart(4, '0')}`)
    for (let i = 0; i < keys.length; i += 50) await Promise.all(keys.slice(i, i + 50).map((key) => begin(disk, key)))
    const result = await pruneIncompleteUploads(disk, { olderThan: new Date(Date.now() + 3_600_000) })
    expect(result.uploads.map(({ path }) => path).toSorted()).toEqual(keys)
    expect(await left(disk)).toEqual([])
  }, 60_000)

  it.each([[undefined], [Number.NaN], [-1], [new Date(Number.NaN)], ['1d']])(
    'are not aborted for an age that is none: %s',
    async (olderThan) => {
      const disk = await parts({ create: false })
      const prune = pruneIncompleteUploads(disk, { olderThan: olderThan as number })
      await expect(prune).rejects.toMatchObject({ code: 'invalid_argument' })
    },
  )

  it('stop being aborted with the call', async () => {
    const disk = await parts()
    await begin(disk, 'a')
    const reason = new Error('no longer wanted')
    const prune = pruneIncompleteUploads(disk, { olderThan: new Date(Date.now() + 3_600_000), signal: AbortSignal.abort(reason) })
    await expect(prune).rejects.toBe(reason)
    expect(await left(disk)).toEqual(['a'])
  })
})
