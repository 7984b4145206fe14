import { describe, expect, it } from '@jest/globals'
import { Disk } from '../../../src/disk.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'
import { fakeFile } from '../../../src/testing/fake-file.ts'

describe('a fake upload', () => {
  it('has its name, content and type', async () => {
    const file = fakeFile('a.png', { content: 'hello', type: 'image/png' })
    expect([file.name, file.size, file.type, await file.text()]).toEqual(['a.png', 5, 'image/png', 'hello'])
    expect(Object.prototype.toString.call(file)).toBe('[object File]')
    expect(file).toBeInstanceOf(File)
    expect(await fakeFile('a', { content: Buffer.from([1, 255]) }).arrayBuffer()).toEqual(Uint8Array.of(1, 255).buffer)
  })

  it('has a size without content', async () => {
    expect(fakeFile('a').size).toBe(0)
    expect(fakeFile('a', { size: 1_000 }).size).toBe(1_000)
    expect(fakeFile('a', { content: 'abc', size: 3 }).size).toBe(3)
  })

  it.each([{ content: 'abc', size: 4 }, { size: -1 }, { size: 1.5 }, { size: Number.NaN }])('refuses %j', (options) => {
    expect(() => fakeFile('a', options)).toThrow(expect.objectContaining({ code: 'invalid_argument' }))
  })

  it('goes where uploads go', async () => {
    const disk = new Disk(new MemoryDriver())
    const { path } = await disk.putFile('up', fakeFile('a.PNG', { size: 10, type: 'image/png' }))
    expect(path).toMatch(/^up\/[0-9a-f]{40}\.png$/)
    expect(await disk.stat(path)).toMatchObject({ size: 10, contentType: 'image/png' })
  })
})
