import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { BlobServiceClient } from '@azure/storage-blob'
import { Disk } from '../../../src/disk.ts'
import { AzureDriver } from '../../../src/drivers/azure/azure-driver.ts'
import { NAMES } from '../../../src/testing/conformance/paths.ts'
import { recordingProxy } from '../../support/recording-proxy.ts'
import { type AzureStore, makeAzure } from '../../support/stores/azure-store.ts'

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

describe('URLs that are signed with an account key', () => {
  it('read and write every odd name, by a plain fetch', async () => {
    for (const path of NAMES) {
      const { url, method, headers } = await disk.temporaryUploadUrl(path, 60, { contentType: 'text/x-kit', metadata: { 'order-id': 'ü' } })
      expect([path, method, (await fetch(url, { method, headers, body: path })).status]).toEqual([path, 'PUT', 201])
      const answer = await fetch(await disk.temporaryUrl(path, 60))
      expect([path, await answer.text(), answer.headers.get('content-type')]).toEqual([path, path, 'text/x-kit'])
    }
    expect(new Set(await disk.allFiles())).toEqual(new Set(NAMES))
    expect((await disk.stat(NAMES[0] as string)).metadata).toEqual({ 'order-id': 'ü' })
  })

  it('say what the answer has to say', async () => {
    await disk.put('a.txt', 'x')
    const url = await disk.temporaryUrl('a.txt', 60, { download: 'näme.txt', contentType: 'application/pdf' })
    const { headers } = await fetch(url)
    expect([headers.get('content-type'), headers.get('content-disposition')]).toEqual([
      'application/pdf',
      `attachment; filename="name.txt"; filename*=UTF-8''n%C3%A4me.txt`,
    ])
    expect((await fetch(await disk.temporaryUrl('a.txt', 60, { method: 'HEAD' }), { method: 'HEAD' })).status).toBe(200)
  })

  it('allow nothing else, and end', async () => {
    await disk.put('a.txt', 'x')
    await disk.put('b.txt', 'x')
    const url = await disk.temporaryUrl('a.txt', 60)
    expect((await fetch(url, { method: 'PUT', body: 'y', headers: { 'x-ms-blob-type': 'BlockBlob' } })).status).toBe(403)
    expect((await fetch(url.replace('a.txt', 'b.txt'))).status).toBe(403)
    const { signUrl } = store.driver
    const expired = await signUrl?.('a.txt', { method: 'GET', expiresAt: new Date(Date.now() - 60_000) })
    expect((await fetch(expired?.url as string)).status).toBe(403)
  })

  it('cannot limit sizes', async () => {
    await expect(disk.temporaryUploadUrl('a.txt', 60, { maxSize: 10 })).rejects.toMatchObject({ code: 'unsupported' })
    await expect(disk.temporaryUploadUrl('a.txt', 60, { minSize: 1 })).rejects.toMatchObject({ code: 'unsupported' })
  })

  it('are not made by a disk that has a SAS itself', async () => {
    const { accountKey: _, ...options } = store.options
    const signed = new Disk(new AzureDriver({ ...options, sasToken: 'sv=1&sig=x' }))
    await expect(signed.temporaryUrl('a.txt')).rejects.toMatchObject({ code: 'unsupported' })
    await expect(signed.temporaryUploadUrl('a.txt')).rejects.toMatchObject({ code: 'unsupported' })
  })
})

describe('a disk with a SAS of its container', () => {
  it('reads, writes, lists, copies and deletes', async () => {
    const { ContainerSASPermissions, generateBlobSASQueryParameters, StorageSharedKeyCredential } = await import('@azure/storage-blob')
    const { container, accountName = '', accountKey = '', endpoint } = store.options
    const values = {
      containerName: container,
      permissions: ContainerSASPermissions.parse('racwdl'),
      expiresOn: new Date(Date.now() + 60_000),
    }
    const sasToken = `?${generateBlobSASQueryParameters(values, new StorageSharedKeyCredential(accountName, accountKey)).toString()}`
    const signed = new Disk(new AzureDriver({ container, endpoint, sasToken }))
    await signed.put('a ü.txt', 'x')
    await signed.copy('a ü.txt', 'b.txt')
    await signed.append('log', 'y')
    expect([await signed.text('b.txt'), await signed.allFiles()]).toEqual(['x', ['a ü.txt', 'b.txt', 'log']])
    await signed.delete(await signed.allFiles())
    expect(await signed.allFiles()).toEqual([])
    expect(await signed.url('a ü.txt')).not.toContain('sig')
    await signed.close()
  })
})

describe('URLs that are signed with an identity', () => {
  const delegationKey = `<?xml version="1.0" encoding="utf-8"?><UserDelegationKey><SignedOid>oid</SignedOid><SignedTid>tid</SignedTid><SignedStart>2026-01-01T00:00:00Z</SignedStart><SignedExpiry>2026-01-08T00:00:00Z</SignedExpiry><SignedService>b</SignedService><SignedVersion>2026-02-06</SignedVersion><Value>${Buffer.alloc(32, 1).toString('base64')}</Value></UserDelegationKey>`

  /** The SDK sends identities over https alone: an identity that the proxy cannot get is enough to see how keys are asked for. */
  async function identityDisk(): Promise<{ disk: Disk; asked: () => number; close: () => Promise<void> }> {
    const proxy = await recordingProxy({
      answer: ({ query }) =>
        query.get('comp') === 'userdelegationkey'
          ? { status: 200, headers: { 'content-type': 'application/xml' }, body: delegationKey }
          : undefined,
    })
    const { newPipeline, StorageSharedKeyCredential } = await import('@azure/storage-blob')
    const client = new BlobServiceClient(`${proxy.endpoint}/acct`, newPipeline(new StorageSharedKeyCredential('acct', 'a2V5')))
    Object.defineProperty(client, 'credential', { value: { getToken: async () => ({ token: 't', expiresOnTimestamp: 0 }) } })
    const disk = new Disk(new AzureDriver({ container: 'files', client }), { name: 'azure' })
    return { disk, asked: () => proxy.requests.length, close: () => proxy.close() }
  }

  it('use one key for many, and ask for another when a URL would outlive it', async () => {
    const { disk: identity, asked, close } = await identityDisk()
    const urls = [await identity.temporaryUrl('a.txt', 60), await identity.temporaryUrl('b.txt', 3_600)]
    expect(asked()).toBe(1)
    for (const url of urls) {
      const query = new URL(url).searchParams
      expect([query.get('skoid'), query.get('sktid'), query.get('sp'), query.get('sr'), query.has('sig')]).toEqual([
        'oid',
        'tid',
        'r',
        'b',
        true,
      ])
    }
    await identity.temporaryUrl('a.txt', 3 * 24 * 3_600)
    expect(asked()).toBe(2)
    expect(new URL((await identity.temporaryUploadUrl('a.txt', 60)).url).searchParams.get('sp')).toBe('cw')
    expect(asked()).toBe(2)
    await close()
  })

  it('are good for seven days at most', async () => {
    const { disk: identity, close } = await identityDisk()
    await expect(identity.temporaryUrl('a.txt', 8 * 24 * 3_600)).rejects.toMatchObject({ code: 'invalid_argument', operation: 'signUrl' })
    await close()
  })
})
