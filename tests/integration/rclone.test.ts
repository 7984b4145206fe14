/** Another client of the same bucket: rclone reads what the disk wrote, and the disk reads what rclone wrote. For FTP: tests/unit/ftp. */
import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { Disk } from '../../src/disk.ts'
import { S3Driver } from '../../src/drivers/s3/s3-driver.ts'
import { NAMES } from '../../src/testing/conformance/paths.ts'
import { need } from '../support/servers/processes.ts'
import { type TestBucket, testBucket } from '../support/stores/s3-store.ts'

const run = promisify(execFile)
const MiB = 1024 * 1024

/** rclone's own encoding of local files changes control characters and spaces at the end of a name; S3 keeps what XML cannot carry. */
const ODD = NAMES.filter((name) => !/[\u2028\ufffd\ufffe\uffff]| $|\/$/.test(name))
const FILES = new Map([
  ...ODD.map((name, index) => [name, randomBytes(index * 997)] as const),
  ['large.bin', randomBytes(17 * MiB)] as const,
])
const TYPED = { 'page.html': 'text/html', 'photo.jpg': 'image/jpeg', 'data.json': 'application/json', 'notes.txt': 'text/plain' }

let bucket: TestBucket
let disk: Disk
let folder: string

beforeAll(async () => {
  bucket = await testBucket()
  disk = new Disk(new S3Driver(bucket.options({ partSize: 5 * MiB })))
  folder = await mkdtemp(join(tmpdir(), 'stowage-rclone-'))
})

afterAll(async () => {
  await disk.close()
  await bucket.remove()
  await rm(folder, { recursive: true, force: true })
})

/** rclone 1.60 takes AWS_CA_BUNDLE for a setting of its own, and fails with it. */
async function rclone(...args: readonly string[]): Promise<string> {
  const { endpoint, key, secret, region } = bucket.server
  const { AWS_CA_BUNDLE: _, ...env } = process.env
  const remote = { PROVIDER: 'Ceph', ENDPOINT: endpoint, REGION: region, ACCESS_KEY_ID: key, SECRET_ACCESS_KEY: secret, ENV_AUTH: 'false' }
  const settings = Object.fromEntries(Object.entries(remote).map(([name, value]) => [`RCLONE_S3_${name}`, value]))
  const options = { env: { ...env, ...settings, RCLONE_CONFIG: '' }, maxBuffer: 16 * MiB }
  return (await run(need('rclone'), [...args, '--no-unicode-normalization'], options)).stdout
}

const remote = (path: string): string => `:s3:${bucket.name}/${path}`
const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const hashes = [...FILES].map(([name, bytes]) => [name, hash(bytes)])

it('rclone reads what the disk wrote, byte for byte', async () => {
  for (const [name, bytes] of FILES) {
    if (name === 'large.bin') await disk.writeStream(`ours/${name}`, [bytes])
    else await disk.put(`ours/${name}`, bytes)
  }
  await rclone('copy', remote('ours'), join(folder, 'ours'))
  const read = await Promise.all([...FILES.keys()].map(async (name) => [name, hash(await readFile(join(folder, 'ours', name)))]))
  expect(read).toEqual(hashes)
  const entries = await readdir(join(folder, 'ours'), { recursive: true, withFileTypes: true })
  expect(entries.filter((entry) => entry.isFile())).toHaveLength(FILES.size)
})

it('the disk reads what rclone wrote, byte for byte', async () => {
  for (const [name, bytes] of FILES) {
    await mkdir(dirname(join(folder, 'theirs', name)), { recursive: true })
    await writeFile(join(folder, 'theirs', name), bytes)
  }
  await rclone('copy', join(folder, 'theirs'), remote('theirs'), '--s3-upload-cutoff', '6M', '--s3-chunk-size', '5M')
  expect(new Set(await disk.allFiles('theirs'))).toEqual(new Set([...FILES.keys()].map((name) => `theirs/${name}`)))
  const read: unknown[] = []
  for (const name of FILES.keys()) read.push([name, hash(await disk.get(`theirs/${name}`))])
  expect(read).toEqual(hashes)
})

it('both tell the other the content type', async () => {
  for (const name of Object.keys(TYPED)) await disk.put(`types/ours/${name}`, 'content')
  await disk.put('types/ours/as-told', 'content', { contentType: 'application/x-told' })
  const listed = JSON.parse(await rclone('lsjson', remote('types/ours'))) as readonly { readonly Name: string; readonly MimeType: string }[]
  const told = Object.fromEntries(listed.map(({ Name, MimeType }) => [Name, MimeType.replace(/;.*/, '')]))
  expect(told).toEqual({ ...TYPED, 'as-told': 'application/x-told' })

  await mkdir(join(folder, 'types'))
  for (const name of Object.keys(TYPED)) await writeFile(join(folder, 'types', name), 'content')
  await rclone('copy', join(folder, 'types'), remote('types/theirs'))
  const types = Object.keys(TYPED).map(async (name) => [name, (await disk.mimeType(`types/theirs/${name}`))?.replace(/;.*/, '')])
  expect(Object.fromEntries(await Promise.all(types))).toEqual(TYPED)
})
