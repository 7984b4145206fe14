import { afterAll, describe, expect, it } from '@jest/globals'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { AclRequests, isPublic } from '../../../src/drivers/s3/acl.ts'
import type { S3Grant, S3ObjectAcls } from '../../../src/drivers/s3/s3-acl.ts'
import type { S3DriverOptions } from '../../../src/drivers/s3/settings.ts'
import { bench, type Parts } from './support.ts'

const { parts, clear } = bench()
afterAll(clear)

interface WithAcls extends Parts {
  readonly acl: S3ObjectAcls
}

async function withFile(options: Partial<S3DriverOptions> = { acl: true }): Promise<WithAcls> {
  const disk = await parts(options)
  await disk.client.send(new PutObjectCommand({ Bucket: disk.bucket, Key: 'ünï/a b.txt', Body: 'x' }))
  return { ...disk, acl: new AclRequests(disk.connection, disk.settings) }
}

const PATH = 'ünï/a b.txt'

describe('the ACL of a file', () => {
  it('is private, its owner with all permissions', async () => {
    const { acl } = await withFile()
    const { owner, grants } = await acl.get(PATH)
    expect(owner?.id).toBe('first')
    expect(grants).toEqual([{ grantee: { type: 'user', id: 'first', name: 'first' }, permission: 'full' }])
    expect(isPublic({ owner, grants })).toBe(false)
  })

  it('becomes public and private by a canned list, and anybody can tell', async () => {
    const { acl, server, bucket } = await withFile()
    const read = async (): Promise<number> => (await fetch(`${server.endpoint}/${bucket}/${encodeURI(PATH)}`)).status
    expect(await read()).toBe(403)
    await acl.set(PATH, 'public-read')
    expect(await read()).toBe(200)
    expect(isPublic(await acl.get(PATH))).toBe(true)
    expect((await acl.get(PATH)).grants).toContainEqual({ grantee: { type: 'everyone' }, permission: 'read' })
    await acl.set(PATH, 'private')
    expect(await read()).toBe(403)
  })

  it('is replaced by grants, and its owner stays', async () => {
    const { acl } = await withFile()
    const grants: readonly S3Grant[] = [
      { grantee: { type: 'user', id: 'first' }, permission: 'full' },
      { grantee: { type: 'user', id: 'other' }, permission: 'readAcl' },
      { grantee: { type: 'authenticated' }, permission: 'read' },
    ]
    await acl.set(PATH, grants)
    const set = await acl.get(PATH)
    expect(set.owner?.id).toBe('first')
    expect(set.grants).toHaveLength(3)
    expect(set.grants).toEqual(
      expect.arrayContaining([
        { grantee: expect.objectContaining({ type: 'user', id: 'first' }), permission: 'full' },
        { grantee: expect.objectContaining({ type: 'user', id: 'other' }), permission: 'readAcl' },
        { grantee: { type: 'authenticated' }, permission: 'read' },
      ]),
    )
    expect(isPublic(set)).toBe(false)
  })

  it('of a missing file is not found', async () => {
    const { acl } = await withFile()
    await expect(acl.get('missing')).rejects.toMatchObject({ code: 'not_found', path: 'missing', operation: 'visibility' })
    await expect(acl.set('missing', 'private')).rejects.toMatchObject({ code: 'not_found', operation: 'setVisibility' })
  })

  it('is not sent by a disk that sends none', async () => {
    const { acl } = await withFile({})
    await expect(acl.set(PATH, 'public-read')).rejects.toMatchObject({ code: 'unsupported' })
    expect(isPublic(await acl.get(PATH))).toBe(false)
  })

  it('is refused where the store has none', async () => {
    const { connection, settings } = await parts({ preset: 'b2', create: false })
    const acl = new AclRequests(connection, settings)
    await expect(acl.get(PATH)).rejects.toMatchObject({ code: 'unsupported' })
    await expect(acl.set(PATH, 'private')).rejects.toMatchObject({ code: 'unsupported' })
  })

  it.each([
    ['a permission that is none', { grantee: { type: 'everyone' }, permission: 'see' }],
    ['a grantee that is none', { grantee: { type: 'nobody' }, permission: 'read' }],
  ])('is refused with %s', async (_, grant) => {
    const { acl } = await withFile()
    await expect(acl.set(PATH, [grant as unknown as S3Grant])).rejects.toMatchObject({ code: 'invalid_argument' })
  })

  it('is refused for a path that is none', async () => {
    const { acl } = await withFile()
    await expect(acl.get('../a')).rejects.toMatchObject({ code: 'invalid_path' })
    await expect(acl.set('', 'private')).rejects.toMatchObject({ code: 'invalid_path' })
  })
})
