import { describe, expect, it } from '@jest/globals'
import { AzureDriver, type AzureDriverOptions } from '../../../src/drivers/azure/azure-driver.ts'
import { settingsOf } from '../../../src/drivers/azure/settings.ts'
import { StorageManager } from '../../../src/storage-manager.ts'

const KEY = Buffer.alloc(64, 7).toString('base64')
const SAS = 'sv=2026-02-06&ss=b&srt=co&sp=rl&se=2030-01-01&sig=c2ln'
const client = { url: 'https://acct.blob.core.windows.net/?sv=1&sig=secret', getContainerClient: () => undefined }

describe('the address of an Azure account', () => {
  it.each<[string, Partial<AzureDriverOptions>, string]>([
    ['the account', { accountName: 'acct', accountKey: KEY }, 'https://acct.blob.core.windows.net'],
    ['a custom domain', { endpoint: 'https://files.example.com/', accountName: 'acct', accountKey: KEY }, 'https://files.example.com'],
    ['an emulator', { endpoint: 'http://127.0.0.1:10000', accountName: 'dev', accountKey: KEY }, 'http://127.0.0.1:10000/dev'],
    ['an emulator with its path', { endpoint: 'http://localhost:10000/dev/', accountKey: KEY }, 'http://localhost:10000/dev'],
    ['a connection string', { connectionString: `AccountName=acct;AccountKey=${KEY}` }, 'https://acct.blob.core.windows.net'],
    [
      'a connection string of another cloud',
      { connectionString: `DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=${KEY};EndpointSuffix=core.chinacloudapi.cn` },
      'https://acct.blob.core.chinacloudapi.cn',
    ],
    ['a connection string with a SAS', { connectionString: `BlobEndpoint=https://a.b/;SharedAccessSignature=${SAS}` }, 'https://a.b'],
    ['the emulator of this machine', { connectionString: 'UseDevelopmentStorage=true' }, 'http://127.0.0.1:10000/devstoreaccount1'],
    ['a client', { client }, 'https://acct.blob.core.windows.net'],
  ])('is that of %s', (_, options, endpoint) => {
    expect(settingsOf({ container: 'files', ...options }).endpoint).toBe(endpoint)
  })

  it('keeps the equals signs of a key in a connection string', () => {
    const { access } = settingsOf({ container: 'files', connectionString: `AccountKey=${KEY};AccountName=acct;` })
    expect(access).toEqual({ kind: 'key', accountName: 'acct', accountKey: KEY })
  })

  it('leaves it to the account whether a key in base64 is the right one', () => {
    const accountKey = Buffer.from('key').toString('base64')
    expect(settingsOf({ container: 'files', accountName: 'acct', accountKey }).access).toMatchObject({ kind: 'key', accountKey })
  })

  it('knows the account of a key by its host', () => {
    const { access } = settingsOf({ container: 'files', endpoint: 'https://acct.blob.core.windows.net', accountKey: KEY })
    expect(access).toMatchObject({ kind: 'key', accountName: 'acct' })
  })
})

describe('a configuration that cannot work', () => {
  const account = { container: 'files', accountName: 'acct' }
  it.each<[string, object]>([
    ['no container', { accountName: 'acct' }],
    ['a container in upper case', { ...account, container: 'Files' }],
    ['a container with two hyphens', { ...account, container: 'a--b' }],
    ['no account', { container: 'files' }],
    ['no account for a key', { container: 'files', endpoint: 'https://files.example.com', accountKey: KEY }],
    ['a key that is no base64', { ...account, accountKey: 'not a key' }],
    ['a key without any bytes', { ...account, accountKey: '=' }],
    ['a key and a SAS', { ...account, accountKey: KEY, sasToken: SAS }],
    ['a SAS without a signature', { ...account, sasToken: 'sv=2026' }],
    ['a connection string and a key', { container: 'files', connectionString: `AccountName=acct;AccountKey=${KEY}`, accountKey: KEY }],
    ['a connection string of something else', { container: 'files', connectionString: 'Endpoint=sb://x' }],
    ['a connection string without credentials', { container: 'files', connectionString: 'AccountName=acct' }],
    ['a client and a key', { container: 'files', client, accountKey: KEY }],
    ['a client of something else', { container: 'files', client: { send: () => undefined } }],
    ['an endpoint without a scheme', { ...account, endpoint: 'acct.blob.core.windows.net' }],
    ['an endpoint with a SAS', { ...account, endpoint: `https://acct.blob.core.windows.net?${SAS}` }],
    ['an identity over http', { ...account, endpoint: 'http://127.0.0.1:10000' }],
    ['a tier that there is not', { ...account, tier: 'Lukewarm' }],
    ['retries that are no number', { ...account, retries: 1.5 }],
  ])('is a ConfigurationError: %s', (_, options) => {
    expect(() => new AzureDriver(options as AzureDriverOptions)).toThrow(expect.objectContaining({ code: 'configuration' }))
  })

  it('names no secret', () => {
    const bad = { container: 'files', connectionString: `AccountName=acct;AccountKey=${KEY.slice(1)}!` }
    expect(() => new AzureDriver(bad)).toThrow(expect.not.objectContaining({ message: expect.stringContaining(KEY.slice(1, 20)) }))
  })

  it('is told at the first use of the disk, with what was unset', async () => {
    const storage = new StorageManager({ disks: { files: { driver: 'azure', container: 'files' } } })
    await expect(storage.disk('files').exists('a')).rejects.toMatchObject({ code: 'configuration', disk: 'files' })
    await storage.close()
  })
})

describe('the retries of an Azure disk', () => {
  it('are the driver’s own', () => {
    expect(settingsOf({ container: 'files', accountName: 'acct' }).retries).toBe(4)
    expect(settingsOf({ container: 'files', accountName: 'acct', retries: 0 }).retries).toBe(0)
  })
})

describe('what an Azure disk can sign', () => {
  const files = { container: 'files', accountName: 'acct' }
  it.each<[string, AzureDriverOptions, boolean]>([
    ['an account key', { ...files, accountKey: KEY }, true],
    ['an identity', files, true],
    ['a SAS', { ...files, sasToken: SAS }, false],
    ['a client with a key', { container: 'files', client: { ...client, credential: { computeHMACSHA256: () => '' } } }, true],
    ['a client with an identity', { container: 'files', client: { ...client, credential: { getToken: () => null } } }, true],
    ['an anonymous client', { container: 'files', client: { ...client, credential: {} } }, false],
  ])('with %s: %s', (_, options, signs) => {
    const { supports, signUrl } = new AzureDriver(options)
    expect([supports.temporaryUrl, supports.temporaryUploadUrl, signUrl !== undefined]).toEqual([signs, signs, signs])
  })
})
