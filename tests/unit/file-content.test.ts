import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { contentBytes } from '../../src/content.ts'
import { fileContent, randomName } from '../../src/file-content.ts'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stowage-file-content-'))
})

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

describe('a local file', () => {
  it('has its size before it is read, and may be read again', async () => {
    const path = join(folder, 'a.txt')
    await writeFile(path, 'hello')
    const { content, name } = await fileContent(path)
    expect([content.size, content.replayable, name]).toEqual([5, true, 'a.txt'])
    for (let i = 0; i < 2; i++) expect(Buffer.from(await contentBytes(content)).toString()).toBe('hello')
  })

  it('is opened when it is read and not before: one that goes away meanwhile is a file not found', async () => {
    const path = join(folder, 'gone.txt')
    await writeFile(path, 'hello')
    const { content } = await fileContent(path)
    await rm(path)
    const unread = content.stream()
    await new Promise((done) => setTimeout(done, 20)) // an open file that fails unheard would end the process
    expect(typeof unread[Symbol.asyncIterator]).toBe('function')
    await expect(contentBytes(content)).rejects.toMatchObject({ code: 'not_found' })
  })
})

describe('a random name', () => {
  const zeros = (size: number): Buffer => Buffer.alloc(size)

  it.each([
    [undefined, ''],
    ['a.PDF', '.pdf'],
    ['a.tar.gz', '.gz'],
    ['.env', ''],
    ['a.', ''],
    ['a.p hp', ''],
    ['a.php\0.jpg', '.jpg'],
    ['a.jpg/../x', ''],
    ['a.é', ''],
    [`a.${'x'.repeat(17)}`, ''],
    ['a.html5', '.html5'],
  ])('of %j ends in %j', (name, extension) => {
    expect(randomName(name, zeros)).toBe('0'.repeat(40) + extension)
  })
})
