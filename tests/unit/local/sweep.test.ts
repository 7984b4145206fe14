import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { LocalDriver } from '../../../src/drivers/local/local-driver.ts'
import { removeStale, takeByFile } from '../../../src/drivers/local/lock.ts'
import { owner, ownName, tempName } from '../../../src/drivers/local/temp-files.ts'
import { freshDirectory, namesIn, put, text } from './local-disk.ts'

let directory: Awaited<ReturnType<typeof freshDirectory>>
let root: string

beforeEach(async () => {
  directory = await freshDirectory()
  root = directory.path
})

afterEach(() => directory.remove())

const DRIVER = new URL('../../../src/drivers/local/local-driver.ts', import.meta.url).href
const CONTENT = new URL('../../../src/content.ts', import.meta.url).href

/** A process that is in the middle of writing `dir/file`, and holds a lock. */
async function writingProcess(): Promise<ReturnType<typeof spawn>> {
  const script = `
    import { LocalDriver } from ${JSON.stringify(DRIVER)}
    import { toContent } from ${JSON.stringify(CONTENT)}
    const driver = new LocalDriver({ root: ${JSON.stringify(root)} })
    async function* endless() { for (;;) { yield Buffer.alloc(100_000); console.log('wrote'); await new Promise((resolve) => setTimeout(resolve, 50)) } }
    await driver.write('dir/file', toContent(endless()), {})`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  return child
}

async function kill(child: ReturnType<typeof spawn>): Promise<void> {
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

async function dead(): Promise<string> {
  const child = spawn(process.execPath, ['-e', ''])
  await once(child, 'exit')
  const [host] = owner().split('-')
  return `${host}-${child.pid}-1`
}

describe('sweeping', () => {
  it.each([
    ['a listing', async (driver: LocalDriver) => void (await driver.list('dir', {}))],
    ['the first write into the directory', async (driver: LocalDriver) => void (await put(driver, 'dir/other', 'x'))],
    ['sweep()', async (driver: LocalDriver) => expect(await driver.sweep()).toBe(1)],
  ])('spares what a living process writes, and removes it when that was killed: by %s', async (_name, act) => {
    const child = await writingProcess()
    const during = new LocalDriver({ root })
    await during.list('', { recursive: true })
    expect(await during.sweep()).toBe(0)
    await put(during, 'dir/neighbour', 'x')
    await during.close()
    expect((await readdir(join(root, 'dir'))).filter((name) => name.startsWith('.stowage-tmp-'))).toHaveLength(1)
    await kill(child)
    const after = new LocalDriver({ root })
    await act(after)
    await after.close()
    expect((await readdir(join(root, 'dir'))).filter((name) => name.startsWith('.stowage'))).toEqual([])
  })

  it('never removes what this very process writes', async () => {
    await writeFile(join(root, tempName()), 'being written')
    const driver = new LocalDriver({ root })
    expect(await driver.sweep()).toBe(0)
    await driver.list('', {})
    await driver.close()
    expect(await readdir(root)).toHaveLength(1)
  })

  it('takes an id that another process has now for abandoned', async () => {
    const [host, pid] = owner().split('-')
    await writeFile(join(root, `.stowage-tmp-${host}-${pid}-1-abc-0`), 'by a process of the same id, before')
    const driver = new LocalDriver({ root })
    expect(await driver.sweep()).toBe(1)
    await driver.close()
  })

  it('removes files of other hosts by age alone', async () => {
    const [young, old] = ['.stowage-tmp-00000000-1-1-aa-0', '.stowage-tmp-00000000-1-1-bb-0']
    for (const name of [young, old]) await writeFile(join(root, name), '')
    const yesterday = Date.now() / 1_000 - 25 * 60 * 60
    await utimes(join(root, old), yesterday, yesterday)
    const driver = new LocalDriver({ root })
    expect(await driver.sweep()).toBe(1)
    await driver.close()
    expect(await readdir(root)).toEqual([young])
  })

  it('removes sidecars without a file, and no others', async () => {
    const driver = new LocalDriver({ root })
    await put(driver, 'kept', 'x', { metadata: { k: 'v' } })
    await writeFile(join(root, ownName('meta', 'gone')), JSON.stringify({ name: 'gone', files: [] }))
    expect(await driver.sweep()).toBe(1)
    expect((await driver.stat('kept', {})).metadata).toEqual({ k: 'v' })
    expect(await namesIn(root)).toHaveLength(2)
    await driver.close()
  })

  it('leaves alone what it does not know', async () => {
    for (const name of ['.stowage', '.stowage-tmp-', '.stowage-else', 'plain', '.stowage-meta-zz']) await writeFile(join(root, name), '')
    const driver = new LocalDriver({ root })
    expect(await driver.sweep()).toBe(0)
    await driver.close()
    expect(await readdir(root)).toHaveLength(5)
  })
})

describe('the lock of a name', () => {
  it('is taken from a process that has ended', async () => {
    const driver = new LocalDriver({ root })
    const { etag } = await put(driver, 'file', 'one')
    await symlink(await dead(), join(root, ownName('lock', 'file')))
    await put(driver, 'file', 'two', { ifMatch: etag })
    expect(await text(driver, 'file')).toBe('two')
    expect(await readdir(root)).toEqual(['file'])
    await driver.close()
  })

  it('is a file where there are no symbolic links, and works the same', async () => {
    const lock = join(root, ownName('lock', 'file'))
    expect(await takeByFile(lock)).toBe(true)
    expect(await takeByFile(lock)).toBe(false)
    expect(await removeStale(lock)).toBe(false)
    await writeFile(lock, await dead())
    expect(await removeStale(lock)).toBe(true)
    await writeFile(lock, '')
    expect(await removeStale(lock)).toBe(false)
    await utimes(lock, 1, 1)
    expect(await removeStale(lock)).toBe(true)
    expect(await readdir(root)).toEqual([])
  })

  it('is waited for while its process lives', async () => {
    const driver = new LocalDriver({ root })
    const { etag } = await put(driver, 'file', 'one')
    const lock = join(root, ownName('lock', 'file'))
    await symlink(owner(), lock)
    let done = false
    const writing = put(driver, 'file', 'two', { ifMatch: etag }).then(() => {
      done = true
    })
    await new Promise((resolve) => setTimeout(resolve, 150))
    expect(done).toBe(false)
    expect(await readFile(join(root, 'file'), 'utf8')).toBe('one')
    const { rm } = await import('node:fs/promises')
    await rm(lock)
    await writing
    expect(await text(driver, 'file')).toBe('two')
    await driver.close()
  })

  it('goes with a sweep when its process has ended', async () => {
    await symlink(await dead(), join(root, ownName('lock', 'file')))
    const driver = new LocalDriver({ root })
    expect(await driver.sweep()).toBe(1)
    await driver.close()
    expect(await readdir(root)).toEqual([])
  })
})
