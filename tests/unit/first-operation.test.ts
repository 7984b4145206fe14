/** A driver loads what it does at its first operation. Nobody is to notice: not who aborts, not who closes, not who comes in crowds. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { bytesContent } from '../../src/content.ts'
import { cached } from '../../src/decorators/cached/cached.ts'
import { encrypted } from '../../src/decorators/encrypted/encrypted.ts'
import { generateKey } from '../../src/decorators/encrypted/keys.ts'
import { mirrored } from '../../src/decorators/mirrored/mirrored.ts'
import type { Driver } from '../../src/driver.ts'
import { AzureDriver } from '../../src/drivers/azure/azure-driver.ts'
import { FtpDriver } from '../../src/drivers/ftp/ftp-driver.ts'
import { GcsDriver } from '../../src/drivers/gcs/gcs-driver.ts'
import { LocalDriver } from '../../src/drivers/local/local-driver.ts'
import { MemoryDriver } from '../../src/drivers/memory-driver.ts'
import { S3Driver } from '../../src/drivers/s3/s3-driver.ts'

let root = ''
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'stowage-first-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

/** Where nobody listens. */
const NOWHERE = 'http://127.0.0.1:1'
const S3 = { bucket: 'b', endpoint: NOWHERE, region: 'us-east-1', key: 'k', secret: 's', retries: 0 }

const HERE: readonly (readonly [string, () => Driver])[] = [
  ['local', () => new LocalDriver({ root })],
  ['encrypted(memory)', () => encrypted({ key: generateKey() })(new MemoryDriver())],
  ['cached(memory)', () => cached()(new MemoryDriver())],
  ['mirrored(memory, memory)', () => mirrored({ mirrors: [new MemoryDriver()] })(new MemoryDriver())],
]
const AWAY: readonly (readonly [string, () => Driver])[] = [
  ['s3, lean', () => new S3Driver(S3)],
  ['s3, sdk', () => new S3Driver({ ...S3, transport: 'sdk' })],
  ['gcs', () => new GcsDriver({ bucket: 'b', endpoint: NOWHERE, retries: 0 })],
  ['azure', () => new AzureDriver({ container: 'con', accountName: 'account', accountKey: 'a2V5', endpoint: NOWHERE, retries: 0 })],
  ['ftp', () => new FtpDriver({ host: '127.0.0.1', port: 1 })],
]

const content = bytesContent(Buffer.from('content'))

/** Every verb, with a signal. */
const VERBS: readonly (readonly [string, (driver: Driver, signal: AbortSignal) => Promise<unknown>])[] = [
  ['stat', (driver, signal) => driver.stat('a', { signal })],
  ['read', (driver, signal) => driver.read('a', { signal })],
  ['write', (driver, signal) => driver.write('a', content, { signal })],
  ['delete', (driver, signal) => driver.delete(['a', 'b'], { signal })],
  ['list', (driver, signal) => driver.list('', { signal })],
  ['copy', (driver, signal) => driver.copy('a', 'b', { signal })],
  ['move', (driver, signal) => driver.move('a', 'b', { signal })],
]

describe.each([...HERE.slice(0, 2), ...AWAY])('the first operation of %s', (_name, make) => {
  it.each(VERBS)('%s, with a signal that is aborted, rejects with its reason', async (_verb, call) => {
    const driver = make()
    const reason = new Error('enough')
    await expect(call(driver, AbortSignal.abort(reason))).rejects.toBe(reason)
    await driver.close()
  })
})

describe.each([...HERE, ...AWAY])('closing %s', (_name, make) => {
  it('before the first operation does nothing, as often as it is done', async () => {
    const driver = make()
    await driver.close()
    await driver.close()
  })

  it('while the first operation is loading lets it come to its end', async () => {
    const driver = make()
    const first = driver.stat('missing', {}).catch((error: unknown) => error)
    const closed = driver.close()
    await closed
    expect(await first).toMatchObject({ code: expect.stringMatching(/^(not_found|unavailable)$/) })
    await driver.close()
  })
})

describe.each(HERE)('many first operations of %s', (name, make) => {
  it('come to one and the same', async () => {
    const driver = make()
    const paths = Array.from({ length: 20 }, (_, index) => `${name.slice(0, 3)}-${index}`)
    await Promise.all(paths.map((path) => driver.write(path, content, {})))
    expect((await Promise.all(paths.map((path) => driver.stat(path, {})))).map(({ size }) => size)).toEqual(paths.map(() => 7))
    await driver.close()
  })
})
