import { afterAll, describe, expect, it } from '@jest/globals'
import { CreateMultipartUploadCommand } from '@aws-sdk/client-s3'
import type { DiskConfig } from '../../../src/config/disk-config.ts'
import type { Disk } from '../../../src/disk.ts'
import { StorageManager } from '../../../src/storage-manager.ts'
import { bench, type Parts } from './support.ts'

const { parts, clear } = bench()
const open: Disk[] = []
afterAll(async () => {
  for (const disk of open) await disk.close()
  await clear()
})

async function build(keys: Partial<Extract<DiskConfig, { driver: 's3' }>> = {}): Promise<Parts & { readonly disk: Disk }> {
  const made = await parts()
  const { endpoint, region, key, secret, pathStyle } = made.server
  const disk = new StorageManager().build({ driver: 's3', bucket: made.bucket, endpoint, region, key, secret, pathStyle, ...keys })
  open.push(disk)
  return { ...made, disk }
}

describe('administration, from a disk', () => {
  it('is the same from the disk and from its layer, through whatever is around it', async () => {
    const { disk, bucket } = await build({ prefix: 'tenant', retry: true })
    const driver = disk.layer('s3')
    expect(driver?.buckets).toBeDefined()
    expect(disk.buckets).toBe(driver?.buckets)
    expect(disk.scope('deeper').buckets).toBe(driver?.buckets)
    expect((await disk.buckets?.info())?.name).toBe(bucket)
  })

  it('versions are read and deleted by their ids', async () => {
    const { disk } = await build()
    const driver = disk.layer('s3')
    await driver?.buckets.versioning.set('enabled')
    const first = await disk.put('ünï/a b.txt', 'one')
    const second = await disk.put('ünï/a b.txt', 'three')
    expect(first.versionId).not.toBe(second.versionId)
    const { versionId } = first
    if (versionId === undefined || driver === undefined) throw new Error('no version')
    expect(await disk.text('ünï/a b.txt', { versionId })).toBe('one')
    expect(await disk.stat('ünï/a b.txt', { versionId })).toMatchObject({ size: 3, versionId })
    await disk.delete('ünï/a b.txt')
    expect(await disk.exists('ünï/a b.txt')).toBe(false)
    expect(await idsOf(driver.versions('/ünï/a b.txt'))).toEqual([expect.any(String), second.versionId, versionId])
    expect(await driver.delete(['ünï/a b.txt'], { versionId })).toEqual([])
    expect(await idsOf(driver.versions('ünï/a b.txt'))).not.toContain(versionId)
  })

  it('a bad path is refused at the first step', async () => {
    const { disk } = await build()
    const steps = disk.layer('s3')?.versions('../a')[Symbol.asyncIterator]()
    await expect(steps?.next()).rejects.toMatchObject({ code: 'invalid_path' })
  })

  it('incomplete uploads are pruned', async () => {
    const { disk, bucket, client } = await build()
    await client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: 'a b' }))
    const pruned = await disk.layer('s3')?.pruneIncompleteUploads({ olderThan: new Date(Date.now() + 3_600_000) })
    expect(pruned).toMatchObject({ aborted: 1, uploads: [{ path: 'a b' }] })
  })

  it('ACLs and visibility are one', async () => {
    const { disk } = await build({ acl: true })
    await disk.put('a.txt', 'x', { visibility: 'public' })
    expect((await disk.layer('s3')?.acl.get('a.txt'))?.grants).toContainEqual({ grantee: { type: 'everyone' }, permission: 'read' })
    await disk.layer('s3')?.acl.set('a.txt', 'private')
    expect(await disk.visibility('a.txt')).toBe('private')
    await disk.setVisibility('a.txt', 'public')
    await disk.append('a.txt', 'y')
    await disk.prepend('a.txt', 'w')
    expect([await disk.text('a.txt'), await disk.visibility('a.txt')]).toEqual(['wxy', 'public'])
  })

  it('a missing bucket is a wrong configuration from every member', async () => {
    const { disk, bucket, buckets } = await build({ acl: true })
    await buckets.delete()
    const driver = disk.layer('s3')
    const calls: readonly (() => unknown)[] = [
      () => driver?.acl.get('a'),
      () => driver?.acl.set('a', 'private'),
      () => driver?.versions('a')[Symbol.asyncIterator]().next(),
      () => driver?.pruneIncompleteUploads({ olderThan: 0 }),
      () => disk.buckets?.info(),
      () => disk.buckets?.versioning?.set('enabled'),
      () => disk.buckets?.lifecycle?.set([{ expire: { days: 1 } }]),
    ]
    for (const call of calls) {
      await expect(Promise.resolve().then(() => call())).rejects.toMatchObject({
        code: 'configuration',
        message: expect.stringContaining(bucket),
      })
    }
  })

  it('signed uploads come from the disk as they are to be sent', async () => {
    const { disk } = await build()
    const { url, method, fields = {} } = await disk.temporaryUploadUrl('a.png', 60, { maxSize: 4 })
    const form = new FormData()
    for (const [name, value] of Object.entries(fields)) form.append(name, value)
    form.append('file', new Blob(['1234']))
    expect((await fetch(url, { method, body: form })).ok).toBe(true)
    expect(await disk.stat('a.png')).toMatchObject({ size: 4, contentType: 'image/png' })
    await expect(disk.temporaryUrl('a.png', 604_801)).rejects.toMatchObject({
      code: 'invalid_argument',
      operation: 'signUrl',
      path: 'a.png',
    })
    expect(Object.keys(await disk.temporaryUrls(['a', 'b'], 604_800))).toEqual(['a', 'b'])
  })
})

async function idsOf(versions: AsyncIterable<{ readonly versionId: string }>): Promise<string[]> {
  const ids: string[] = []
  for await (const { versionId } of versions) ids.push(versionId)
  return ids
}
