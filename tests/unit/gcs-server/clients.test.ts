/** Two clients that know nothing of this project: Google's own for Node.js, and rclone, which is Go's. */
import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { type Bucket, Storage } from '@google-cloud/storage'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { need } from '../../support/servers/processes.ts'
import { apiClient } from './api-client.ts'

const run = promisify(execFile)
const api = apiClient()
const NAMES = ['a.txt', 'ünï/日本 +%20&?#.txt', 'sp ace', "it's(*)!", 'a/b/c', '[x]{y}', '\u{1f600}']

describe('@google-cloud/storage', () => {
  let storage: Storage

  beforeAll(() => {
    const { emulatorOrigin, project, credentials } = api.server
    storage = new Storage({ apiEndpoint: emulatorOrigin, projectId: project, credentials, retryOptions: { autoRetry: false } })
  })

  async function bucket(): Promise<Bucket> {
    return storage.bucket(await api.bucket())
  }

  const code = async (asked: Promise<unknown>): Promise<unknown> =>
    asked.then(
      () => 'done',
      (error: unknown) => (error as { code?: unknown }).code,
    )

  it('makes, finds, changes and deletes buckets', async () => {
    const [made] = await storage.createBucket(`sdk-${Date.now()}`, { location: 'EU' })
    expect([await made.exists(), await storage.bucket('no-such-bucket').exists()]).toEqual([[true], [false]])
    await made.setMetadata({ versioning: { enabled: true } })
    await made.addLifecycleRule({ action: { type: 'Delete' }, condition: { age: 3 } })
    await made.setCorsConfiguration([{ maxAgeSeconds: 3, method: ['GET'], origin: ['*'], responseHeader: ['x'] }])
    await made.setLabels({ a: 'b' })
    const [metadata] = await made.getMetadata()
    expect(metadata).toMatchObject({ versioning: { enabled: true }, lifecycle: { rule: [{ condition: { age: 3 } }] }, labels: { a: 'b' } })
    expect((await storage.getBuckets({ prefix: made.name }))[0].map(({ name }) => name)).toEqual([made.name])
    await made.file('a').save('x')
    expect(await code(made.delete())).toBe(409)
    await made.deleteFiles({ versions: true })
    await made.delete()
    expect(await made.exists()).toEqual([false])
  })

  it.each([
    ['simple', { resumable: false }],
    ['resumable', { resumable: true }],
    ['in chunks', { resumable: true, chunkSize: 256 * 1024 }],
  ])('saves %s uploads of every size, and checks what it reads', async (_name, options) => {
    const { file } = await bucket().then((found) => ({ file: found.file('a') }))
    // In chunks, it says `bytes 0--1/0` for nothing, which is no range of bytes.
    for (const size of [...('chunkSize' in options ? [] : [0]), 1, 256 * 1024, 1024 * 1024 + 7, 3_000_001]) {
      const bytes = randomBytes(size)
      await file.save(bytes, { ...options, validation: 'crc32c' })
      const [read] = await file.download({ validation: 'crc32c' })
      expect([size, bytes.equals(read)]).toEqual([size, true])
      expect((await file.getMetadata())[0].md5Hash).toBe(createHash('md5').update(bytes).digest('base64'))
    }
  })

  it('writes and reads streams', async () => {
    const file = (await bucket()).file('a')
    const bytes = randomBytes(6_000_000)
    for (const resumable of [true, false]) {
      await pipeline(Readable.from([bytes.subarray(0, 10), bytes.subarray(10)]), file.createWriteStream({ resumable }))
      const chunks: Buffer[] = []
      for await (const chunk of file.createReadStream({ start: 5, end: 5_000_000 })) chunks.push(chunk as Buffer)
      expect(Buffer.concat(chunks).equals(bytes.subarray(5, 5_000_001))).toBe(true)
    }
  })

  it('lists names as they are, by page, prefix and delimiter', async () => {
    const found = await bucket()
    for (const name of NAMES) await found.file(name).save(name, { resumable: false })
    const [files] = await found.getFiles({ maxResults: 100 })
    expect(files.map(({ name }) => name).toSorted()).toEqual(NAMES.toSorted())
    for (const name of NAMES) expect((await found.file(name).download())[0].toString()).toBe(name)
    const [, , answer] = (await found.getFiles({ delimiter: '/', autoPaginate: false })) as unknown as [
      unknown,
      unknown,
      { prefixes: string[] },
    ]
    expect(answer.prefixes).toEqual(['a/', 'ünï/'])
  })

  it('copies, moves, renames and composes', async () => {
    const found = await bucket()
    await found.file('a').save('hello', { metadata: { contentType: 'a/b', metadata: { k: 'v' } } })
    await found.file('a').copy('b')
    await found.file('b').move('c')
    await found.file('c').moveFileAtomic('d')
    expect((await found.file('d').getMetadata())[0]).toMatchObject({ contentType: 'a/b', metadata: { k: 'v' } })
    await found.combine(['a', 'd'], 'e')
    expect((await found.file('e').download())[0].toString()).toBe('hellohello')
    await found.file('a').setStorageClass('NEARLINE')
    expect((await found.file('a').getMetadata())[0].storageClass).toBe('NEARLINE')
    expect([await found.file('b').exists(), await found.file('c').exists()]).toEqual([[false], [false]])
  })

  it('hears of conditions, sums and what is missing', async () => {
    const file = (await bucket()).file('a')
    await file.save('old')
    for (const resumable of [true, false]) {
      expect(await code(file.save('new', { resumable, preconditionOpts: { ifGenerationMatch: 0 } }))).toBe(412)
    }
    expect(await code(file.delete({ ifGenerationMatch: 5 }))).toBe(412)
    expect(await code(file.save('new', { resumable: false, metadata: { crc32c: 'AAAAAA==' } }))).toBe(400)
    expect((await file.download())[0].toString()).toBe('old')
    expect([await code(file.bucket.file('none').download()), await code(file.bucket.file('none').getMetadata())]).toEqual([404, 404])
    await file.bucket.file('none').delete({ ignoreNotFound: true })
  })

  it('sets ACLs, policies and metadata', async () => {
    const file = (await bucket()).file('a')
    await file.save('hello')
    await file.makePublic()
    expect((await fetch(`${api.server.origin}/${file.bucket.name}/a`)).status).toBe(200)
    expect(await file.acl.get({ entity: 'allUsers' })).toContainEqual({ entity: 'allUsers', role: 'READER' })
    await file.makePrivate()
    expect((await fetch(`${api.server.origin}/${file.bucket.name}/a`)).status).toBe(401)
    await file.setMetadata({ cacheControl: 'no-cache', metadata: { k: 'ü' } })
    expect((await file.getMetadata())[0]).toMatchObject({ cacheControl: 'no-cache', metadata: { k: 'ü' } })
    expect((await file.bucket.iam.testPermissions(['storage.objects.get']))[0]).toEqual({ 'storage.objects.get': true })
    const [policy] = await file.bucket.iam.getPolicy()
    await file.bucket.iam.setPolicy({ ...policy, bindings: [{ role: 'roles/storage.objectViewer', members: ['allUsers'] }] })
    expect((await fetch(`${api.server.origin}/${file.bucket.name}/a`)).status).toBe(200)
  })

  it.each(NAMES)('signs addresses of %j', async (name) => {
    const file = (await bucket()).file(name)
    const expires = Date.now() + 60_000
    const [write] = await file.getSignedUrl({ version: 'v4', action: 'write', expires, contentType: 'a/b' })
    expect((await fetch(write, { method: 'PUT', body: name, headers: { 'content-type': 'a/b' } })).status).toBe(200)
    const [read] = await file.getSignedUrl({ version: 'v4', action: 'read', expires, promptSaveAs: 'x.txt' })
    const answer = await fetch(read)
    expect([await answer.text(), answer.headers.get('content-type')]).toEqual([name, 'a/b'])
    expect(answer.headers.get('content-disposition')).toBe('attachment; filename="x.txt"')
    expect((await fetch(read, { method: 'DELETE' })).status).toBe(403)
  })

  it('signs forms', async () => {
    const file = (await bucket()).file('form')
    const conditions = [['content-length-range', 1, 10]] as (string | number)[][]
    // The address that comes with it has no bucket, unless the endpoint is Google's.
    const [{ fields }] = await file.generateSignedPostPolicyV4({
      expires: Date.now() + 60_000,
      conditions,
      fields: { 'Content-Type': 'a/b' },
    })
    const send = async (body: string): Promise<number> => {
      const form = new FormData()
      for (const [key, value] of Object.entries(fields)) form.append(key, value)
      form.append('file', new Blob([body]))
      return (await fetch(`${api.server.origin}/${file.bucket.name}`, { method: 'POST', body: form })).status
    }
    expect([await send('x'.repeat(11)), await send('hello')]).toEqual([400, 204])
    expect((await file.getMetadata())[0].contentType).toBe('a/b')
  })
})

describe('rclone', () => {
  let folder = ''
  const large = randomBytes(9_000_001) // Above 8 MiB it uploads in chunks.

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-rclone-gcs-'))
    await writeFile(join(folder, 'key.json'), JSON.stringify(api.server.credentials))
    const files = [
      ...NAMES.map((name) => [name, Buffer.from(name)] as const),
      ['large', large] as const,
      ['empty', Buffer.alloc(0)] as const,
    ]
    for (const [name, bytes] of files) {
      await mkdir(dirname(join(folder, 'ours', name)), { recursive: true })
      await writeFile(join(folder, 'ours', name), bytes)
    }
  })

  afterAll(() => rm(folder, { recursive: true, force: true }))

  /** With the key of the service account, unless `anonymous`. */
  async function rclone(args: readonly string[], anonymous = false): Promise<string> {
    const { origin, emulatorOrigin, project } = api.server
    const door = anonymous
      ? ['--gcs-anonymous', '--gcs-endpoint', `${emulatorOrigin}/storage/v1/`]
      : ['--gcs-service-account-file', join(folder, 'key.json'), '--gcs-endpoint', `${origin}/storage/v1/`]
    const options = ['--config', '/dev/null', '--retries', '1', '--low-level-retries', '1', '--gcs-project-number', project]
    return (await run(need('rclone'), [...options, ...door, ...args])).stdout
  }

  it.each([
    ['with the key of a service account', false],
    ['anonymously', true],
  ])('takes a tree there and back, %s', async (_name, anonymous) => {
    const bucket = `rclone-${Date.now()}`
    await rclone(['mkdir', `:gcs:${bucket}`], anonymous)
    await rclone(['copy', join(folder, 'ours'), `:gcs:${bucket}/tree`], anonymous)
    await rclone(['check', '--download', join(folder, 'ours'), `:gcs:${bucket}/tree`], anonymous)
    await rclone(['check', join(folder, 'ours'), `:gcs:${bucket}/tree`], anonymous)
    await rclone(['copy', `:gcs:${bucket}/tree`, join(folder, 'back')], anonymous)
    for (const name of [...NAMES, 'large', 'empty']) {
      expect([name, (await readFile(join(folder, 'ours', name))).equals(await readFile(join(folder, 'back', name)))]).toEqual([name, true])
    }
    await rclone(['moveto', `:gcs:${bucket}/tree/large`, `:gcs:${bucket}/moved`], anonymous)
    expect(
      (await rclone(['lsf', '-R', '--files-only', `:gcs:${bucket}`], anonymous)).split('\n').filter((name) => !name.includes('tree/')),
    ).toEqual(['moved', ''])
    await rclone(['purge', `:gcs:${bucket}`], anonymous)
    expect((await api.ask(`/b/${bucket}`)).status).toBe(404)
  })
})
