/** Buckets and their settings, on the test server. */
import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Disk } from '../../../src/disk.ts'
import type { LifecycleRule } from '../../../src/driver.ts'
import { GcsDriver } from '../../../src/drivers/gcs/gcs-driver.ts'
import { codeOf, rejectionOf } from '../../../src/testing/conformance/assertions.ts'
import { gcsServer } from '../../support/servers/gcs-server.ts'

let driver: GcsDriver
let disk: Disk
let bucket: string

beforeEach(async () => {
  const { emulatorOrigin, credentials, project } = await gcsServer()
  bucket = `stowage-test-${randomUUID()}`
  driver = new GcsDriver({ bucket, endpoint: emulatorOrigin, credentials, projectId: project })
  disk = new Disk(driver, { name: 'gcs' })
})
afterEach(async () => {
  await driver.buckets.delete(undefined, { force: true })
  await driver.close()
})

describe('buckets', () => {
  it('are made, seen, listed and deleted', async () => {
    const other = `${bucket}-other`
    expect([await driver.buckets.exists(), await driver.buckets.exists(other)]).toEqual([false, false])
    await driver.buckets.create()
    await driver.buckets.create(other, { region: 'EU' })
    expect([await driver.buckets.exists(), await driver.buckets.exists(other)]).toEqual([true, true])
    expect(codeOf(await rejectionOf(driver.buckets.create()))).toBe('already_exists')
    const names = (await driver.buckets.list()).map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining([bucket, other]))
    expect(names).toEqual([...names].sort())
    expect(await driver.buckets.info(other)).toMatchObject({ name: other, region: 'eu', versioning: 'off', publicAccess: 'allowed' })
    await driver.buckets.delete(other)
    await driver.buckets.delete(other)
    expect(await driver.buckets.exists(other)).toBe(false)
    expect(codeOf(await rejectionOf(driver.buckets.info(other)))).toBe('configuration')
  })

  it('that are not empty are deleted only when that is meant', async () => {
    await driver.buckets.create()
    await driver.buckets.versioning?.set('enabled')
    await disk.put('a.txt', 'one')
    await disk.put('a.txt', 'two')
    await disk.put('b/c.txt', 'x')
    await disk.delete('b/c.txt')
    expect(codeOf(await rejectionOf(driver.buckets.delete()))).toBe('precondition_failed')
    expect(await disk.text('a.txt')).toBe('two')
    await driver.buckets.delete(undefined, { force: true })
    expect(await driver.buckets.exists()).toBe(false)
    expect(codeOf(await rejectionOf(disk.exists('a.txt')))).toBe('configuration')
  })

  it('keep versions when they are told to', async () => {
    await driver.buckets.create()
    const seen = [await driver.buckets.versioning?.get()]
    for (const value of ['enabled', 'suspended'] as const) {
      await driver.buckets.versioning?.set(value)
      seen.push(await driver.buckets.versioning?.get())
    }
    expect(seen).toEqual(['off', 'enabled', 'suspended'])
    expect((await driver.buckets.info()).versioning).toBe('suspended')
  })

  it('encrypt with a key of Cloud KMS, or with the store’s', async () => {
    await driver.buckets.create()
    expect(await driver.buckets.encryption?.get()).toBeUndefined()
    const keyId = 'projects/p/locations/eu/keyRings/r/cryptoKeys/k'
    await driver.buckets.encryption?.set({ type: 'kms', keyId })
    expect(await driver.buckets.encryption?.get()).toEqual({ type: 'kms', keyId })
    await driver.buckets.encryption?.set({ type: 'store' })
    expect(await driver.buckets.encryption?.get()).toBeUndefined()
    expect(codeOf(await rejectionOf(driver.buckets.encryption?.set({ type: 'kms' }) ?? Promise.resolve()))).toBe('invalid_argument')
  })

  it('have lifecycle rules, which come back as they were set', async () => {
    await driver.buckets.create()
    expect(await driver.buckets.lifecycle?.get()).toEqual([])
    const rules: LifecycleRule[] = [
      { enabled: true, filter: { prefix: 'logs/' }, transitions: [{ days: 30, storageClass: 'NEARLINE' }], expire: { days: 365 } },
      {
        enabled: true,
        noncurrent: { keep: 3, expire: { days: 10 }, transitions: [{ days: 5, storageClass: 'COLDLINE' }] },
        abortUploads: { days: 7 },
      },
      { enabled: true, filter: { prefix: 'tmp/' }, expire: { days: 1 } },
    ]
    await driver.buckets.lifecycle?.set(rules)
    expect(await driver.buckets.lifecycle?.get()).toEqual(rules)
    await driver.buckets.lifecycle?.set([])
    expect(await driver.buckets.lifecycle?.get()).toEqual([])
  })

  it('refuse rules that the store would not follow as they are said', async () => {
    await driver.buckets.create()
    const rules: LifecycleRule[] = [
      { enabled: false, expire: { days: 1 } },
      { filter: { tags: { a: 'b' } }, expire: { days: 1 } },
      { filter: { largerThan: 5 }, expire: { days: 1 } },
      { filter: { smallerThan: 5 }, expire: { days: 1 } },
      { expire: { date: new Date() } },
      { transitions: [{ date: new Date(), storageClass: 'NEARLINE' }] },
    ]
    for (const rule of rules)
      expect(codeOf(await rejectionOf(driver.buckets.lifecycle?.set([rule]) ?? Promise.resolve()))).toBe('unsupported')
    expect(await driver.buckets.lifecycle?.get()).toEqual([])
  })
})
