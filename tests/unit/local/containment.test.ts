import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { closeSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Root } from '../../../src/drivers/local/containment.ts'
import { LinkError } from '../../../src/drivers/local/local-errors.ts'
import { OPEN } from '../../../src/drivers/local/local-files.ts'
import { freshDirectory, openDescriptors } from './local-disk.ts'

let directory: Awaited<ReturnType<typeof freshDirectory>>
let root: string

beforeEach(async () => {
  directory = await freshDirectory()
  root = join(directory.path, 'root')
  await mkdir(join(root, 'real'), { recursive: true })
  await mkdir(join(directory.path, 'outside'))
  await writeFile(join(directory.path, 'outside/secret'), 'secret')
  await writeFile(join(root, 'real/file'), 'inside')
  await symlink('../outside', join(root, 'dir'))
  await symlink('../outside/secret', join(root, 'link'))
  await symlink('real', join(root, 'near'))
})

afterEach(() => directory.remove())

describe.each([
  ['with procfs', undefined],
  ['without procfs', false],
])('containment %s', (_name, procfs) => {
  it('opens, describes and holds what is inside', async () => {
    const inside = new Root(root, 'skip', procfs)
    closeSync(await inside.open('real/file', OPEN.read))
    closeSync(await inside.open('real/new', OPEN.create, 0o600))
    expect((await inside.stat('real/file')).size).toBe(6n)
    expect(await inside.within('real', (at) => readdir(`${at}/.`))).toEqual(['file', 'new'])
    expect(await inside.within('', async (at) => (await readdir(`${at}/.`)).sort())).toEqual(['dir', 'link', 'near', 'real'])
    expect((await inside.lstat('link')).isSymbolicLink()).toBe(true)
    await inside.checkSpelling('real/file')
    await inside.checkSpelling('real/none')
  })

  it.each(['link', 'dir/secret', 'near/file'])('opens nothing by way of a link, and leaks nothing: %s', async (key) => {
    const inside = new Root(root, 'skip', procfs)
    await inside.real()
    const before = await openDescriptors()
    await expect(inside.open(key, OPEN.read)).rejects.toBeInstanceOf(LinkError)
    await expect(inside.stat(key)).rejects.toBeInstanceOf(LinkError)
    expect(await openDescriptors()).toBe(before)
  })

  it.each(['dir', 'near'])('creates nothing, and holds nothing, beyond a link: %s', async (key) => {
    const inside = new Root(root, 'skip', procfs)
    await expect(inside.open(`${key}/new`, OPEN.create, 0o600)).rejects.toBeInstanceOf(LinkError)
    await expect(inside.within(key, async () => 'reached')).rejects.toBeInstanceOf(LinkError)
    expect(await readdir(join(directory.path, 'outside'))).toEqual(['secret'])
    expect(await readdir(join(root, 'real'))).toEqual(['file'])
  })
})
