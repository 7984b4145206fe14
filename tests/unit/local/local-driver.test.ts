import { spawnSync } from 'node:child_process'
import { chmod, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { toContent } from '../../../src/content.ts'
import { LocalDriver, type LocalDriverOptions } from '../../../src/drivers/local/local-driver.ts'
import { codeOf, freshDirectory, namesIn, put, text } from './local-disk.ts'

let directory: Awaited<ReturnType<typeof freshDirectory>>
let driver: LocalDriver

beforeEach(async () => {
  directory = await freshDirectory()
  driver = new LocalDriver({ root: directory.path })
})

afterEach(async () => {
  await driver.close()
  await directory.remove()
})

async function modeOf(path: string): Promise<string> {
  return ((await stat(join(directory.path, path))).mode & 0o7777).toString(8)
}

function open(options: Omit<LocalDriverOptions, 'root'>): LocalDriver {
  return new LocalDriver({ root: directory.path, ...options })
}

describe('the disk', () => {
  it('makes its root at the first write, and not before', async () => {
    const lazy = new LocalDriver({ root: join(directory.path, 'not/yet') })
    expect(await codeOf(lazy.stat('a', {}))).toBe('not_found')
    expect((await lazy.list('', {})).entries).toEqual([])
    expect(await lazy.delete(['a'], {})).toEqual([])
    expect(await lazy.directories.delete('', {})).toBe(0)
    expect(await lazy.sweep()).toBe(0)
    expect(await namesIn(directory.path)).toEqual([])
    await put(lazy, 'a', 'x')
    expect(await readFile(join(directory.path, 'not/yet/a'), 'utf8')).toBe('x')
    await lazy.close()
  })

  it('refuses a configuration without a root', () => {
    expect(() => new LocalDriver({ root: '' })).toThrow(expect.objectContaining({ code: 'configuration' }))
  })

  it('takes unusual names and gives them back unchanged', async () => {
    const names = [
      'a+b % # ? &.txt',
      "it's (1) @é.txt",
      '公司.doc',
      '👩‍👩‍👧',
      ' leading',
      'trailing ',
      '...',
      '-rf',
      '.hidden',
      'é',
      'é'.normalize('NFD'),
      'x (deleted)',
      '\ufffd',
      'n'.repeat(255),
      '語'.repeat(85),
    ]
    for (const name of names) await put(driver, `dir/${name}`, name)
    for (const name of names) expect(await text(driver, `dir/${name}`)).toBe(name)
    const listed = (await driver.list('dir', { stat: false })).entries.map((entry) => entry.path.slice(4))
    expect(listed).toEqual([...new Set(names)].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))))
  })

  it.each([
    '../x',
    'a/../../x',
    '/x',
    'a//b',
    'a\\b',
    'a\0b',
    'a\nb',
    '.stowage-x',
    'a/.stowage',
    'a/.stowage-tmp-1/b',
    'x'.repeat(256),
    '語'.repeat(86),
    `${'d/'.repeat(2_040)}x${'y'.repeat(40)}`,
  ])('refuses %j in every method before any I/O', async (path) => {
    const methods = [
      driver.stat(path, {}),
      driver.read(path, {}),
      put(driver, path, 'x'),
      driver.append(path, toContent('x'), {}),
      driver.delete(['fine', path], {}),
      driver.list(path, {}),
      driver.copy(path, 'a', {}),
      driver.copy('a', path, {}),
      driver.move(path, 'a', {}),
      driver.move('a', path, {}),
      driver.visibility?.get(path, {}),
      driver.visibility?.set(path, 'public', {}),
      driver.directories.exists(path, {}),
      driver.directories.create(path, {}),
      driver.directories.delete(path, {}),
    ]
    for (const method of methods) expect(await codeOf(method as Promise<unknown>)).toBe('invalid_path')
    expect(await namesIn(directory.path)).toEqual([])
  })

  it('keeps a whole batch when one of its paths is bad', async () => {
    await put(driver, 'a', 'x')
    expect(await codeOf(driver.delete(['a', 'b/.stowage-x'], {}))).toBe('invalid_path')
    expect(await text(driver, 'a')).toBe('x')
  })

  it('tells files and directories apart', async () => {
    await put(driver, 'a/b', 'x')
    expect(await codeOf(put(driver, 'a', 'x'))).toBe('already_exists')
    expect(await codeOf(put(driver, 'a', 'x', { ifAbsent: true }))).toBe('already_exists')
    expect(await codeOf(put(driver, 'a/b/c', 'x'))).toBe('already_exists')
    expect(await codeOf(put(driver, 'a/b/c/d', 'x'))).toBe('already_exists')
    expect(await codeOf(driver.append('a', toContent('x'), {}))).toBe('already_exists')
    expect(await codeOf(driver.directories.create('a/b', {}))).toBe('already_exists')
    expect(await codeOf(driver.directories.create('a/b/c', {}))).toBe('already_exists')
    expect(await codeOf(driver.copy('a/b', 'a', {}))).toBe('already_exists')
    expect(await codeOf(driver.move('a/b', 'a', {}))).toBe('already_exists')
    for (const path of ['a', 'a/b/c', 'missing']) {
      expect(await codeOf(driver.read(path, {}))).toBe('not_found')
      expect(await codeOf(driver.stat(path, {}))).toBe('not_found')
      expect(await codeOf(driver.copy(path, 'z', {}))).toBe('not_found')
      expect(await codeOf(driver.move(path, 'z', {}))).toBe('not_found')
      expect(await codeOf(driver.visibility?.set(path, 'public', {}) as Promise<unknown>)).toBe('not_found')
    }
    expect(await driver.delete(['a', 'a/b/c', 'missing'], {})).toEqual([])
    expect(await text(driver, 'a/b')).toBe('x')
    expect(await namesIn(directory.path)).toEqual(['a', 'a/b'])
  })

  it('does not hang on a pipe, and does not list one', async () => {
    spawnSync('mkfifo', [join(directory.path, 'pipe')])
    expect(await codeOf(driver.read('pipe', {}))).toBe('not_found')
    expect(await codeOf(driver.append('pipe', toContent('x'), {}))).toBe('already_exists')
    expect((await driver.list('', {})).entries).toEqual([])
  })

  it('leaves names that are not UTF-8 out of lists', async () => {
    await put(driver, 'fine', 'x')
    await writeFile(Buffer.concat([Buffer.from(`${directory.path}/`), Buffer.from([0x61, 0xff, 0x62])]), 'x')
    await writeFile(join(directory.path, 'back\\slash'), 'x')
    expect((await driver.list('', {})).entries.map((entry) => entry.path)).toEqual(['fine'])
  })
})

describe('modes', () => {
  it('are private unless the disk or the write says otherwise, parents included', async () => {
    await put(driver, 'p/q/file', 'x')
    expect(await Promise.all(['p', 'p/q', 'p/q/file'].map(modeOf))).toEqual(['700', '700', '600'])
    await put(driver, 'r/s/file', 'x', { visibility: 'public' })
    expect(await Promise.all(['r', 'r/s', 'r/s/file'].map(modeOf))).toEqual(['755', '755', '644'])
    const shown = open({ visibility: 'public' })
    await put(shown, 't/file', 'x')
    await shown.append('u/file', toContent('x'), {})
    await put(shown, 't/secret', 'x', { visibility: 'private' })
    expect(await Promise.all(['t', 't/file', 't/secret', 'u', 'u/file'].map(modeOf))).toEqual(['755', '644', '600', '755', '644'])
    await driver.directories.create('v/w', { visibility: 'public' })
    expect(await Promise.all(['v', 'v/w'].map(modeOf))).toEqual(['755', '755'])
    await shown.close()
  })

  it('are what was configured, whatever the umask cuts', async () => {
    const before = process.umask(0o077)
    try {
      const shown = open({ visibility: 'public', permissions: { file: { public: 0o664 }, dir: { public: 0o775 } } })
      await put(shown, 'p/file', 'x')
      await shown.append('p/log', toContent('x'), {})
      await shown.close()
    } finally {
      process.umask(before)
    }
    expect(await Promise.all(['p', 'p/file', 'p/log'].map(modeOf))).toEqual(['775', '664', '664'])
  })

  it('tell and take visibility', async () => {
    await put(driver, 'a', 'x')
    expect(await driver.visibility?.get('a', {})).toBe('private')
    await driver.visibility?.set('a', 'public', {})
    expect(await driver.visibility?.get('a', {})).toBe('public')
    expect((await driver.stat('a', {})).visibility).toBe('public')
    expect(await modeOf('a')).toBe('644')
  })

  it('go along with copies and moves', async () => {
    await put(driver, 'a', 'x')
    await chmod(join(directory.path, 'a'), 0o640)
    await driver.copy('a', 'b', {})
    await driver.copy('a', 'c', { visibility: 'public' })
    await driver.move('a', 'd', {})
    await driver.move('b', 'e', { visibility: 'public' })
    expect(await Promise.all(['c', 'd', 'e'].map(modeOf))).toEqual(['644', '640', '644'])
  })
})

describe('copy and move', () => {
  it('replace, or not under ifAbsent', async () => {
    await put(driver, 'a', 'a')
    await put(driver, 'b', 'b')
    expect(await codeOf(driver.copy('a', 'b', { ifAbsent: true }))).toBe('already_exists')
    expect(await codeOf(driver.move('a', 'b', { ifAbsent: true }))).toBe('already_exists')
    expect(await text(driver, 'b')).toBe('b')
    await driver.copy('a', 'x/y/c', { ifAbsent: true })
    await driver.move('a', 'x/z/d', { ifAbsent: true })
    await driver.move('x/y/c', 'b', {})
    expect(await text(driver, 'b')).toBe('a')
    expect(await namesIn(directory.path)).toEqual(['b', 'x', 'x/y', 'x/z', 'x/z/d'])
  })

  it('do nothing onto themselves', async () => {
    await put(driver, 'a', 'a', { metadata: { k: 'v' } })
    await driver.copy('a', 'a', {})
    await driver.move('a', 'a', {})
    expect(await text(driver, 'a')).toBe('a')
    expect((await driver.stat('a', {})).metadata).toEqual({ k: 'v' })
    expect(await codeOf(driver.copy('none', 'none', {}))).toBe('not_found')
    expect(await codeOf(driver.move('none', 'none', {}))).toBe('not_found')
  })

  it('change the content headers that are given', async () => {
    await put(driver, 'a.txt', 'a', { metadata: { k: 'v' } })
    await driver.move('a.txt', 'b.txt', { contentType: 'x/y' })
    expect(await driver.stat('b.txt', {})).toMatchObject({ contentType: 'x/y', metadata: { k: 'v' } })
    expect(await codeOf(driver.stat('a.txt', {}))).toBe('not_found')
  })

  it('copy, and then delete, where the file system cannot rename', async () => {
    const shm = await freshDirectory('/dev/shm').catch(() => undefined)
    const { moveWithin } = await import('../../../src/drivers/local/copy-move.ts')
    const { settingsOf } = await import('../../../src/drivers/local/settings.ts')
    const across = async (from: string): Promise<void> => {
      // What a rename from one file system to another really gives, where there are two.
      if (shm !== undefined) await rename(from, join(shm.path, 'target'))
      throw Object.assign(new Error('cross-device link'), { code: 'EXDEV' })
    }
    await put(driver, 'a.txt', 'content', { metadata: { k: 'v' } })
    const ends = { from: 'a.txt', to: 'd/b.txt', fromKey: 'a.txt', toKey: 'd/b.txt' }
    await moveWithin({ ...settingsOf({ root: directory.path }), driver }, ends, {}, across)
    expect(await text(driver, 'd/b.txt')).toBe('content')
    expect((await driver.stat('d/b.txt', {})).metadata).toEqual({ k: 'v' })
    expect(await namesIn(directory.path)).toHaveLength(3)
    await shm?.remove()
  })
})

describe('append', () => {
  it('makes the file, and keeps what concurrent writers add whole', async () => {
    const drivers = [driver, open({}), open({})] as const
    await Promise.all(
      Array.from({ length: 90 }, (_, n) => (drivers[n % 3] ?? driver).append('logs/a', toContent(`${String(n).padStart(3, '0')}\n`), {})),
    )
    const lines = (await text(driver, 'logs/a')).trim().split('\n').sort()
    expect(lines).toEqual(Array.from({ length: 90 }, (_, n) => String(n).padStart(3, '0')))
    expect(await modeOf('logs/a')).toBe('600')
  })

  it('keeps of a stream what came before it failed', async () => {
    await put(driver, 'a', 'old ')
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('one ')
      yield Buffer.from('two ')
      throw new Error('broke')
    }
    await expect(driver.append('a', toContent(failing()), {})).rejects.toThrow('broke')
    expect(await text(driver, 'a')).toBe('old one two ')
  })

  it('keeps conditions', async () => {
    const { etag } = await put(driver, 'a', 'x')
    await driver.append('a', toContent('y'), { ifMatch: etag })
    expect(await codeOf(driver.append('a', toContent('z'), { ifMatch: etag }))).toBe('precondition_failed')
    expect(await codeOf(driver.append('a', toContent('z'), { ifAbsent: true }))).toBe('already_exists')
    expect(await codeOf(driver.append('b', toContent('z'), { ifMatch: etag }))).toBe('precondition_failed')
    expect(await text(driver, 'a')).toBe('xy')
  })
})

describe('directories', () => {
  it('are made, found and deleted with what they hold', async () => {
    await driver.directories.create('a/b/c', {})
    await driver.directories.create('a/b', {})
    expect(await driver.directories.exists('a/b/c', {})).toBe(true)
    expect(await driver.directories.exists('', {})).toBe(true)
    await Promise.all(Array.from({ length: 40 }, (_, n) => put(driver, `a/b/${n % 4}/${n}`, 'x', n === 0 ? { metadata: { k: 'v' } } : {})))
    await put(driver, 'ab', 'stays')
    expect(await driver.directories.exists('ab', {})).toBe(false)
    expect(await driver.directories.delete('a', {})).toBe(40)
    expect(await driver.directories.delete('a', {})).toBe(0)
    expect(await namesIn(directory.path)).toEqual(['ab'])
    expect(await driver.directories.delete('', {})).toBe(1)
    expect(await readdir(directory.path)).toEqual([])
  })

  it('may be deleted while they are written into', async () => {
    const results = await Promise.all([
      ...Array.from({ length: 30 }, (_, n) => codeOf(put(driver, `d/${n % 3}/${n}`, 'x'))),
      codeOf(driver.directories.delete('d', {})),
    ])
    expect(results.filter((code) => code !== undefined && code !== 'unavailable')).toEqual([])
    expect((await namesIn(directory.path)).filter((name) => name.includes('.stowage'))).toEqual([])
  })
})

describe('errors', () => {
  it('are translated by errno', async () => {
    const { toLocalError } = await import('../../../src/drivers/local/local-errors.ts')
    const code = (errno: string, intent: 'read' | 'write'): unknown =>
      (toLocalError(Object.assign(new Error(), { code: errno }), intent) as { code: unknown }).code
    expect(['ENOENT', 'ENOTDIR', 'EISDIR'].map((errno) => code(errno, 'read'))).toEqual(['not_found', 'not_found', 'not_found'])
    expect(['ENOTDIR', 'EISDIR', 'EEXIST', 'ENOTEMPTY'].map((errno) => code(errno, 'write'))).toEqual(
      Array.from({ length: 4 }, () => 'already_exists'),
    )
    expect(['EACCES', 'EPERM', 'EROFS', 'ELOOP'].map((errno) => code(errno, 'write'))).toEqual(
      Array.from({ length: 4 }, () => 'permission_denied'),
    )
    expect(['ENOSPC', 'EDQUOT', 'EFBIG'].map((errno) => code(errno, 'write'))).toEqual(Array.from({ length: 3 }, () => 'quota_exceeded'))
    expect(['EMFILE', 'EBUSY', 'EIO', 'ESTALE'].map((errno) => code(errno, 'read'))).toEqual(Array.from({ length: 4 }, () => 'unavailable'))
    expect(code('ENAMETOOLONG', 'write')).toBe('invalid_path')
  })
})
