import { beforeEach, describe, expect, it } from '@jest/globals'
import { Disk } from '../../../src/disk.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'
import { matchers } from '../../../src/testing/matchers.ts'

let disk: Disk

beforeEach(async () => {
  disk = new Disk(new MemoryDriver(), { name: 'main' })
  await disk.put('d/a.txt', 'content', { visibility: 'public' })
})

describe('matchers on any disk', () => {
  it('pass for what is there', async () => {
    expect(await matchers.toHaveFile(disk, 'd/a.txt')).toMatchObject({ pass: true })
    expect(await matchers.toHaveFile(disk, '/d//a.txt', 'content')).toMatchObject({ pass: true })
    expect(await matchers.toHaveFile(disk, 'd/a.txt', Buffer.from('content'))).toMatchObject({ pass: true })
    expect(await matchers.toHaveDirectory(disk, 'd')).toMatchObject({ pass: true })
    expect(await matchers.toHaveVisibility(disk, 'd/a.txt', 'public')).toMatchObject({ pass: true })
    expect(await matchers.toHaveContentType(disk, 'd/a.txt', 'text/plain')).toMatchObject({ pass: true })
  })

  it('fail for what is not, and say what is there', async () => {
    const missing = await matchers.toHaveFile(disk, 'nope')
    expect(missing.pass).toBe(false)
    expect(missing.message()).toBe('Expected disk "main" to have the file "nope", but there is:\n  "d/a.txt"')
    const other = await matchers.toHaveFile(disk, 'd/a.txt', 'other')
    expect(other.pass).toBe(false)
    expect(other.message()).toContain('Expected: "other"\nThere is: "content"')
    expect(await matchers.toHaveFile(disk, 'd')).toMatchObject({ pass: false })
    expect(await matchers.toHaveDirectory(disk, 'd/a.txt')).toMatchObject({ pass: false })
    expect(await matchers.toHaveVisibility(disk, 'd/a.txt', 'private')).toMatchObject({ pass: false })
    expect(await matchers.toHaveContentType(disk, 'd/a.txt', 'text/html')).toMatchObject({ pass: false })
  })

  it('say the opposite for `not`', async () => {
    expect((await matchers.toHaveFile(disk, 'd/a.txt')).message()).toBe('Expected disk "main" not to have the file "d/a.txt".')
    expect((await matchers.toHaveDirectory(disk, 'd')).message()).toContain('not to have the directory')
    expect((await matchers.toHaveVisibility(disk, 'd/a.txt', 'public')).message()).toContain('not to be public')
    expect((await matchers.toHaveContentType(disk, 'd/a.txt', 'text/plain')).message()).toContain('not to be of type')
  })

  it('reject for what the disk refuses, instead of failing the match', async () => {
    await expect(matchers.toHaveFile(disk, '../a')).rejects.toMatchObject({ code: 'invalid_path' })
    await expect(matchers.toHaveVisibility(disk, 'nope', 'public')).rejects.toMatchObject({ code: 'not_found' })
  })

  it('extend expect', async () => {
    expect.extend(matchers)
    const assertion = (): { toHaveFile(path: string, content?: string): Promise<void>; not: { toHaveFile(path: string): Promise<void> } } =>
      expect(disk) as never
    await assertion().toHaveFile('d/a.txt', 'content')
    await assertion().not.toHaveFile('nope')
    await expect(assertion().toHaveFile('nope')).rejects.toThrow('nope')
    await expect(assertion().not.toHaveFile('d/a.txt')).rejects.toThrow('not to have')
  })
})
