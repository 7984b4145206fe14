import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Disk } from '../../../src/disk.ts'
import { blockId } from '../../../src/drivers/azure/blocks.ts'
import { type AzureStore, makeAzure, uncommitted } from '../../support/stores/azure-store.ts'

let store: AzureStore
let disk: Disk

beforeEach(async () => {
  store = await makeAzure()
  disk = new Disk(store.driver, { name: 'azure' })
})
afterEach(async () => {
  await disk.close()
  await store.remove()
})

describe('containers', () => {
  it('are made, listed, described and deleted', async () => {
    const { buckets } = disk
    const name = `stowage-test-${randomUUID()}`
    expect(await buckets?.exists(name)).toBe(false)
    await buckets?.create(name)
    await expect(buckets?.create(name)).rejects.toMatchObject({ code: 'already_exists' })
    expect(await buckets?.exists(name)).toBe(true)
    expect((await buckets?.list())?.map((entry) => entry.name)).toEqual(expect.arrayContaining([name, store.options.container]))
    expect(await buckets?.info(name)).toMatchObject({ name, publicAccess: 'blocked', created: expect.anything() })
    await buckets?.delete(name)
    await buckets?.delete(name)
    expect(await buckets?.exists(name)).toBe(false)
    await expect(buckets?.info(name)).rejects.toMatchObject({ code: 'configuration', message: expect.stringContaining(name) })
  })

  it('go with what is in them only when that is forced', async () => {
    const { buckets } = disk
    const name = `stowage-test-${randomUUID()}`
    await buckets?.create(name)
    await store.container.getBlobClient('x').exists()
    const other = new Disk(
      new (store.driver.constructor as new (options: object) => typeof store.driver)({ ...store.options, container: name }),
    )
    await other.put('a.txt', 'x')
    await expect(buckets?.delete(name)).rejects.toMatchObject({ code: 'precondition_failed', reason: expect.stringContaining('force') })
    expect(await other.text('a.txt')).toBe('x')
    await buckets?.delete(name, { force: true })
    expect(await buckets?.exists(name)).toBe(false)
    await other.close()
  })

  it('are public or not as a whole', async () => {
    await disk.put('a ü.txt', 'x')
    const access = disk.layer('azure')?.buckets.publicAccess
    expect([await access?.get(), (await fetch(await disk.url('a ü.txt'))).ok]).toEqual(['none', false])
    await access?.set('blob')
    expect([await access?.get(), await (await fetch(await disk.url('a ü.txt'))).text()]).toEqual(['blob', 'x'])
    expect((await disk.buckets?.info())?.publicAccess).toBe('allowed')
    await access?.set('none')
    expect((await fetch(await disk.url('a ü.txt'))).ok).toBe(false)
    await expect(access?.set('all' as 'blob')).rejects.toMatchObject({ code: 'invalid_argument' })
  })

  it('have names that Azure takes, or are refused before it is asked', async () => {
    for (const name of ['Upper', 'a', 'a--b', '-ab', ''])
      await expect(disk.buckets?.exists(name)).rejects.toMatchObject({ code: 'configuration' })
  })

  it('have no settings that are the account’s', () => {
    const { encryption, versioning, lifecycle } = disk.buckets ?? {}
    expect([encryption, versioning, lifecycle]).toEqual([undefined, undefined, undefined])
  })
})

describe('uploads that were never finished', () => {
  it('are removed when they are old enough, and nothing else is', async () => {
    await disk.put('empty.txt', '')
    await disk.put('a.txt', 'x')
    for (const name of ['a.txt', 'begun.bin', 'dir/begun.bin']) {
      await store.container.getBlockBlobClient(name).stageBlock(blockId(randomUUID(), 0), 'part', 4)
    }
    expect(await store.driver.pruneIncompleteUploads({ olderThan: 3_600 })).toEqual({ aborted: 0, uploads: [] })
    expect(await uncommitted(store.container)).toEqual(['begun.bin', 'dir/begun.bin'])
    await sleep(1_100) // times of blobs have no fractions
    const { aborted, uploads } = await store.driver.pruneIncompleteUploads({ olderThan: new Date() })
    expect([aborted, uploads.map(({ path }) => path)]).toEqual([2, ['begun.bin', 'dir/begun.bin']])
    expect([await uncommitted(store.container), await disk.allFiles()]).toEqual([[], ['a.txt', 'empty.txt']])
    await expect(store.driver.pruneIncompleteUploads({ olderThan: new Date(Number.NaN) })).rejects.toMatchObject({
      code: 'invalid_argument',
    })
  })
})
