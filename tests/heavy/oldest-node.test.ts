/** The packed package on the oldest Node that it promises to run on. That Node comes from npm, for this machine. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { installPackage, npm, packPackage, run } from '../support/packed-package.ts'
import { ROOT } from '../support/source-tree.ts'

let directory = ''
let project = ''
let node = ''
let oldest = ''

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stowage-oldest-'))
  project = join(directory, 'app')
  const { engines } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { engines: { node: string } }
  oldest = `${engines.node.replace('>=', '')}.0`
  await installPackage((await packPackage(directory)).tarball, project)
  node = await installNode(oldest)
})

afterAll(() => rm(directory, { recursive: true, force: true }))

/** Installs the binary of one Node. @returns its path */
async function installNode(version: string): Promise<string> {
  const platform = process.platform === 'win32' ? 'win' : process.platform
  const name = `node-${platform === 'darwin' && process.arch === 'arm64' ? 'bin-' : ''}${platform}-${process.arch}`
  const folder = join(directory, 'node')
  await mkdir(folder)
  await writeFile(join(folder, 'package.json'), '{ "private": true }')
  await npm(['install', `${name}@${version}`, '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'], folder)
  return join(folder, 'node_modules', name, 'bin', platform === 'win' ? 'node.exe' : 'node')
}

/** Runs a script of the project on that Node; what it prints is JSON. */
async function script(name: string, code: string): Promise<unknown> {
  await writeFile(join(project, name), code)
  const { code: status, stdout, stderr } = await run(node, [name], { cwd: project })
  expect({ status, stderr }).toEqual({ status: 0, stderr: expect.not.stringContaining('Error') })
  return JSON.parse(stdout)
}

describe('the oldest Node', () => {
  it('is what it says', async () => {
    expect(await script('version.mjs', 'console.log(JSON.stringify(process.version))')).toBe(`v${oldest}`)
  })

  it('imports and requires every entry', async () => {
    const { exports } = JSON.parse(await readFile(join(project, 'node_modules/stowage/package.json'), 'utf8')) as { exports: object }
    const names = Object.keys(exports)
      .map((subpath) => subpath.replace('.', 'stowage'))
      .filter((name) => !name.endsWith('.json'))
    const imported = `const all = await Promise.all(${JSON.stringify(names)}.map((name) => import(name)))`
    expect(await script('import.mjs', `${imported}\nconsole.log(JSON.stringify(all.map((one) => Object.keys(one).length > 0)))`)).toEqual(
      names.map(() => true),
    )
    const required = `const all = ${JSON.stringify(names)}.map((name) => require(name))`
    expect(await script('require.cjs', `${required}\nconsole.log(JSON.stringify(all.map((one) => Object.keys(one).length > 0)))`)).toEqual(
      names.map(() => true),
    )
  })

  it('reads, writes, streams, lists and fakes', async () => {
    const code = `
      import { text } from 'node:stream/consumers'
      import { Storage } from 'stowage'
      Storage.configure({ default: 'files', disks: { files: { driver: 'local', root: 'files', prefix: 'p', retry: true } } })
      await Storage.put('a/é.txt', 'hello', { metadata: { by: 'me' }, ifAbsent: true })
      await Storage.writeStream('b.txt', (async function* () { yield 'wor'; yield 'ld' })())
      await Storage.append('b.txt', '!')
      await Storage.move('b.txt', 'c.txt')
      const read = [await Storage.text('a/é.txt', { range: { start: 1 } }), await text(await Storage.readStream('c.txt'))]
      const { metadata } = await Storage.stat('a/é.txt')
      const files = await Storage.allFiles()
      const missing = await Storage.get('b.txt').catch(({ code }) => code)
      const fake = Storage.fake('files')
      await Storage.put('faked.txt', 'x')
      fake.assertExists('faked.txt', 'x')
      Storage.restore()
      console.log(JSON.stringify([read, metadata, files, missing, await Storage.exists('faked.txt')]))`
    const expected = [['ello', 'world!'], { by: 'me' }, ['a/é.txt', 'c.txt'], 'not_found', false]
    expect(await script('disks.mjs', code)).toEqual(expected)
  })

  it('reads a configuration in TypeScript, which it cannot do alone', async () => {
    await mkdir(join(project, 'config'))
    const config = `import { defineConfig } from 'stowage'\nconst name: string = 'kept'\nexport default defineConfig({ default: name, disks: { kept: { driver: 'memory' } } })\n`
    await writeFile(join(project, 'config/filesystems.ts'), config)
    const code = `
      import { Storage } from 'stowage'
      await Storage.put('a.txt', 'x')
      console.log(JSON.stringify([Storage.names, await Storage.files()]))`
    expect(await script('configured.mjs', code)).toEqual([['kept'], ['a.txt']])
  })
})
