import { lstat, mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { toContent } from '../../../src/content.ts'
import type { Driver } from '../../../src/driver.ts'
import { LocalDriver } from '../../../src/drivers/local/local-driver.ts'
import { codeOf, freshDirectory, put, text } from './local-disk.ts'

let directory: Awaited<ReturnType<typeof freshDirectory>>
let root: string
let outside: string

beforeEach(async () => {
  directory = await freshDirectory()
  root = join(directory.path, 'root')
  outside = join(directory.path, 'outside')
  await mkdir(join(root, 'real/sub'), { recursive: true })
  await mkdir(join(outside, 'sub'), { recursive: true })
  await writeFile(join(outside, 'secret.txt'), 'secret', { mode: 0o600 })
  await writeFile(join(outside, 'sub/deep.txt'), 'deep', { mode: 0o600 })
  await writeFile(join(root, 'real/file.txt'), 'inside')
  await writeFile(join(root, 'plain.txt'), 'plain')
  await symlink(outside, join(root, 'dir'))
  await symlink('../outside/secret.txt', join(root, 'file'))
  await symlink('../outside/new.txt', join(root, 'dangling'))
  await symlink('real', join(root, 'inner-dir'))
  await symlink('real/file.txt', join(root, 'inner-file'))
  await symlink('..', join(root, 'real/up'))
  await symlink('loop', join(root, 'loop'))
})

afterEach(() => directory.remove())

/** Everything outside, as it has to stay. */
async function outsideNow(): Promise<unknown> {
  const names = (await readdir(outside, { recursive: true })).sort()
  const modes = await Promise.all(names.map(async (name) => (await lstat(join(outside, name))).mode))
  return {
    names,
    modes,
    secret: await readFile(join(outside, 'secret.txt'), 'utf8'),
    deep: await readFile(join(outside, 'sub/deep.txt'), 'utf8'),
  }
}

const OUTSIDE_PATHS = [
  'file',
  'dir/secret.txt',
  'dir/sub/deep.txt',
  'dir',
  'dangling',
  'loop',
  'loop/x',
  'real/up/dir/secret.txt',
  'inner-dir/up/file',
]

/** Every method with the path in every position. Nothing may leave the root; what each answers is up to the policy. */
const METHODS: readonly (readonly [string, (driver: Driver, path: string) => Promise<unknown>])[] = [
  ['stat', (driver, path) => driver.stat(path, {})],
  ['read', (driver, path) => text(driver, path)],
  ['write', (driver, path) => put(driver, path, 'changed')],
  ['write with metadata', (driver, path) => put(driver, path, 'changed', { metadata: { a: 'b' } })],
  ['write below', (driver, path) => put(driver, `${path}/below/x`, 'changed')],
  ['write if absent', (driver, path) => put(driver, path, 'changed', { ifAbsent: true })],
  ['append', async (driver, path) => driver.append?.(path, toContent('changed'), {})],
  ['delete', (driver, path) => driver.delete([path], {})],
  ['copy from', (driver, path) => driver.copy(path, 'stolen', {})],
  ['copy to', (driver, path) => driver.copy('plain.txt', path, {})],
  ['move from', (driver, path) => driver.move(path, 'stolen', {})],
  ['move to', (driver, path) => driver.move('plain.txt', path, {})],
  ['list', (driver, path) => driver.list(path, { recursive: true })],
  ['set visibility', async (driver, path) => driver.visibility?.set(path, 'public', {})],
  ['get visibility', async (driver, path) => driver.visibility?.get(path, {})],
  ['make directory', async (driver, path) => driver.directories?.create(path, {})],
  ['make directory below', async (driver, path) => driver.directories?.create(`${path}/made`, {})],
  ['directory exists', async (driver, path) => driver.directories?.exists(path, {})],
  ['delete directory', async (driver, path) => driver.directories?.delete(path, {})],
]

describe.each(['skip', 'error', 'follow'] as const)('links: %s', (links) => {
  it.each(METHODS)('never leaves the root: %s', async (_name, method) => {
    const before = await outsideNow()
    for (const path of OUTSIDE_PATHS) {
      const driver = new LocalDriver({ root, links })
      const result = await method(driver, path).catch((error: unknown) => error)
      expect(JSON.stringify(result) ?? '').not.toMatch(/secret"|deep"|secret\.txt","size/)
      await driver.close()
      expect(await outsideNow()).toEqual(before)
    }
    expect(await readFile(join(root, 'stolen'), 'utf8').catch(() => 'nothing')).not.toMatch(/secret|deep/)
  })

  it('deletes a directory with the links in it, and nothing that they lead to', async () => {
    const before = await outsideNow()
    const driver = new LocalDriver({ root, links })
    await symlink(outside, join(root, 'real/sub/out'))
    await symlink('../../plain.txt', join(root, 'real/sub/near'))
    expect(await driver.directories.delete('real', {})).toBe(1)
    expect(await readdir(root)).not.toContain('real')
    expect(await readFile(join(root, 'plain.txt'), 'utf8')).toBe('plain')
    expect(await outsideNow()).toEqual(before)
    await driver.close()
  })
})

describe('links: skip', () => {
  it('reads and lists as if they were not there', async () => {
    const driver = new LocalDriver({ root })
    expect(await codeOf(driver.stat('inner-file', {}))).toBe('not_found')
    expect(await codeOf(driver.read('inner-file', {}))).toBe('not_found')
    expect(await codeOf(driver.read('inner-dir/file.txt', {}))).toBe('not_found')
    expect(await codeOf(driver.copy('inner-file', 'x', {}))).toBe('not_found')
    expect(await codeOf(driver.move('inner-file', 'x', {}))).toBe('not_found')
    expect(await driver.directories.exists('inner-dir', {})).toBe(false)
    expect((await driver.list('inner-dir', {})).entries).toEqual([])
    expect((await driver.list('', { recursive: true, stat: false })).entries.map((entry) => entry.path)).toEqual([
      'plain.txt',
      'real',
      'real/file.txt',
      'real/sub',
    ])
    await driver.close()
  })

  it('replaces a link that is written to, and never its target', async () => {
    const driver = new LocalDriver({ root })
    await put(driver, 'inner-file', 'new')
    expect((await lstat(join(root, 'inner-file'))).isFile()).toBe(true)
    expect(await text(driver, 'real/file.txt')).toBe('inside')
    await driver.close()
  })

  it('refuses to write below a linked directory', async () => {
    const driver = new LocalDriver({ root })
    expect(await codeOf(put(driver, 'inner-dir/x', 'x'))).toBe('permission_denied')
    expect(await codeOf(put(driver, 'inner-dir/x', 'x', { ifAbsent: true }))).toBe('permission_denied')
    expect(await codeOf(put(driver, 'inner-dir/deep/x', 'x'))).toBe('permission_denied')
    expect(await codeOf(driver.copy('plain.txt', 'inner-dir/x', {}))).toBe('permission_denied')
    expect(await codeOf(driver.move('plain.txt', 'inner-dir/x', {}))).toBe('permission_denied')
    expect(await codeOf(driver.append('inner-dir/x', toContent('x'), {}))).toBe('permission_denied')
    expect(await codeOf(driver.directories.create('inner-dir/x', {}))).toBe('permission_denied')
    expect(await readdir(join(root, 'real'))).toEqual(['file.txt', 'sub', 'up'])
    await driver.close()
  })

  it('notices a directory that became a link after it was written to', async () => {
    const driver = new LocalDriver({ root })
    await put(driver, 'swapped/a', 'x')
    const { rename } = await import('node:fs/promises')
    await rename(join(root, 'swapped'), join(root, 'was'))
    await symlink(outside, join(root, 'swapped'))
    const before = await outsideNow()
    expect(await codeOf(put(driver, 'swapped/b', 'x'))).toBe('permission_denied')
    expect(await driver.delete(['swapped/secret.txt'], {})).toEqual([])
    expect(await outsideNow()).toEqual(before)
    await driver.close()
  })
})

describe('links: error', () => {
  it('refuses to pass one, in lists too', async () => {
    const driver = new LocalDriver({ root, links: 'error' })
    for (const path of ['inner-file', 'inner-dir/file.txt', 'file', 'dangling']) {
      expect(await codeOf(driver.stat(path, {}))).toBe('permission_denied')
      expect(await codeOf(driver.read(path, {}))).toBe('permission_denied')
    }
    expect(await codeOf(driver.read('inner-dir/missing', {}))).toBe('permission_denied')
    expect(await codeOf(driver.list('', {}))).toBe('permission_denied')
    expect((await driver.delete(['inner-file'], {}))[0]?.error.code).toBe('permission_denied')
    expect(await text(driver, 'plain.txt')).toBe('plain')
    await driver.close()
  })
})

describe('links: follow', () => {
  it('follows inside the root', async () => {
    const driver = new LocalDriver({ root, links: 'follow' })
    expect(await text(driver, 'inner-file')).toBe('inside')
    expect((await driver.stat('inner-dir/file.txt', {})).path).toBe('inner-dir/file.txt')
    await put(driver, 'inner-dir/new.txt', 'new')
    expect(await readFile(join(root, 'real/new.txt'), 'utf8')).toBe('new')
    await put(driver, 'inner-file', 'through')
    expect(await readFile(join(root, 'real/file.txt'), 'utf8')).toBe('through')
    expect(await readlink(join(root, 'inner-file'))).toBe('real/file.txt')
    expect(driver.locate('inner-file')).toEqual(driver.locate('real/file.txt'))
    await driver.close()
  })

  it('refuses what leaves the root, and leaves it out of lists', async () => {
    const driver = new LocalDriver({ root, links: 'follow' })
    expect(await codeOf(driver.read('file', {}))).toBe('permission_denied')
    expect(await codeOf(driver.read('dir/secret.txt', {}))).toBe('permission_denied')
    expect(await codeOf(driver.read('dangling', {}))).toBe('not_found')
    const paths = (await driver.list('', { recursive: true })).entries.map((entry) => entry.path)
    expect(paths).toContain('inner-dir/file.txt')
    expect(paths).toContain('inner-file')
    expect(paths.filter((path) => /(?:^|\/)(?:dir|file|dangling|loop)(?:\/|$)/.test(path))).toEqual([])
    await driver.close()
  })

  it('moves the content of a link and removes the link', async () => {
    const driver = new LocalDriver({ root, links: 'follow' })
    await driver.move('inner-file', 'moved.txt', {})
    expect(await text(driver, 'moved.txt')).toBe('inside')
    expect(await text(driver, 'real/file.txt')).toBe('inside')
    expect(await codeOf(lstat(join(root, 'inner-file')))).toBe('ENOENT')
    await driver.close()
  })
})

describe('the root', () => {
  it('may be a link itself, and be replaced', async () => {
    const linked = join(directory.path, 'linked')
    await symlink(root, linked)
    const driver = new LocalDriver({ root: linked })
    await put(driver, 'new/a', 'one')
    expect(await readFile(join(root, 'new/a'), 'utf8')).toBe('one')
    const { rm } = await import('node:fs/promises')
    await rm(linked)
    await symlink(join(directory.path, 'second'), linked)
    await mkdir(join(directory.path, 'second'))
    await put(driver, 'new/a', 'two')
    expect(await readFile(join(directory.path, 'second/new/a'), 'utf8')).toBe('two')
    expect(await text(driver, 'new/a')).toBe('two')
    await driver.close()
  })

  it('is made again after it was removed', async () => {
    const driver = new LocalDriver({ root: join(directory.path, 'x/y') })
    expect((await driver.list('', {})).entries).toEqual([])
    await put(driver, 'a/b', '1')
    const { rm } = await import('node:fs/promises')
    await rm(join(directory.path, 'x'), { recursive: true })
    expect(await codeOf(driver.read('a/b', {}))).toBe('not_found')
    await put(driver, 'a/b', '2')
    expect(await text(driver, 'a/b')).toBe('2')
    await driver.close()
  })

  it('names a file the same on disks whose roots overlap', async () => {
    const [outer, inner] = [new LocalDriver({ root }), new LocalDriver({ root: join(root, 'real') })]
    expect(outer.locate('real/file.txt')).toEqual(inner.locate('file.txt'))
    expect(outer.locate('')).toEqual({ store: 'file:', key: root })
  })
})
