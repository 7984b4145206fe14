import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'

// Discovery is of a working directory and of an environment, so each case is a process of its own.
const INDEX = pathToFileURL(resolve(import.meta.dirname, '../../src/index.ts')).href

let folder: string
let count = 0

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stowage-facade-'))
})

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

/** A project with these files. */
async function project(files: Readonly<Record<string, string>> = {}): Promise<string> {
  const cwd = join(folder, String(count++))
  await mkdir(join(cwd, 'config'), { recursive: true })
  for (const [path, content] of Object.entries(files)) await writeFile(join(cwd, path), content)
  return cwd
}

/** What a script that has `Storage` and the rest of the package logs, as JSON. */
async function run(cwd: string, script: string, env: Readonly<Record<string, string>> = {}): Promise<{ out: unknown; warnings: string }> {
  const source = `import * as stowage from ${JSON.stringify(INDEX)}\nconst { Storage } = stowage\nconst tell = (value) => console.log(JSON.stringify(value))\n${script}`
  const { PATH = '' } = process.env
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', source], {
    cwd,
    env: { PATH, ...env },
  })
  return { out: JSON.parse(stdout), warnings: stderr }
}

describe('the facade', () => {
  it('is the default disk of the config file below the working directory, found at the first operation', async () => {
    const cwd = await project({
      'config/filesystems.json': JSON.stringify({
        default: 'files',
        disks: { files: { driver: 'local', root: 'data' }, tmp: { driver: 'memory' } },
      }),
    })
    const { out } = await run(
      cwd,
      `
      const early = Storage.disk('files')
      const before = { names: Storage.names, text: String(early) }
      await Storage.put('a.txt', 'content')
      const missing = (() => { try { Storage.disk('nope') } catch (e) { return e.code } })()
      tell({ before, names: Storage.names, name: Storage.defaultName, text: await early.text('a.txt'), missing })
      `,
    )
    expect(out).toEqual({
      before: { names: [], text: 'files' },
      names: ['files', 'tmp'],
      name: 'files',
      text: 'content',
      missing: 'configuration',
    })
    expect(await readFile(join(cwd, 'data/a.txt'), 'utf8')).toBe('content')
  })

  it('takes TypeScript, and lets an unknown name fail at the first operation', async () => {
    const cwd = await project({
      'config/filesystems.ts': `import { defineConfig } from ${JSON.stringify(INDEX)}\nconst driver: string = 'memory'\nexport default defineConfig({ default: 'tmp', disks: { tmp: { driver: driver as 'memory' } } })\n`,
      'package.json': '{ "type": "module" }',
    })
    const { out } = await run(
      cwd,
      `
      const unknown = await Storage.disk('nope').get('a').catch((e) => [e.code, e.disk])
      await Storage.put('a', 'x')
      tell({ unknown, names: Storage.names })
      `,
    )
    expect(out).toEqual({ unknown: ['configuration', 'nope'], names: ['tmp'] })
  })

  it('is made from the environment where there is no file, with a warning when files would be lost', async () => {
    const script = `await Storage.put('a', 'x'); tell({ names: Storage.names, text: String(Storage) })`
    const memory = await run(await project(), script)
    expect(memory.out).toEqual({ names: ['default'], text: 'default: memory' })
    expect(memory.warnings).not.toBe('')
    const cwd = await project()
    const local = await run(cwd, script, { STORAGE_BACKEND: 'local', STORAGE_BASE_PATH: 'kept' })
    expect(local.out).toEqual({ names: ['default'], text: 'default: local' })
    expect(local.warnings).toBe('')
    expect(await readFile(join(cwd, 'kept/a'), 'utf8')).toBe('x')
  })

  it('finds its configuration once, when asked, and for whoever waits', async () => {
    const cwd = await project({
      'config/filesystems.mjs': `globalThis.loads = (globalThis.loads ?? 0) + 1\nexport default { disks: { one: { driver: 'memory' } } }\n`,
    })
    const { out } = await run(
      cwd,
      `
      const [same] = await Promise.all([Storage.load(), Storage.put('a', 'x'), Storage.copy('b', 'one://c').catch(() => 0)])
      await Storage.load()
      tell({ same: same === Storage, loads: globalThis.loads, supports: Storage.supports('append') })
      `,
    )
    expect(out).toEqual({ same: true, loads: 1, supports: true })
  })

  it('tells of a broken file as a ConfigurationError from every method, copy and move too', async () => {
    const cwd = await project({ 'config/filesystems.mjs': 'export default { disks: ' })
    const { out } = await run(
      cwd,
      `
      const codes = []
      for (const call of [() => Storage.get('a'), () => Storage.copy('a', 'b'), () => Storage.move('x://a', 'y://b'), () => Storage.load(), () => Storage.disk('x').put('a', 'b'), () => Storage.list().next()])
        codes.push(await call().then(() => 'none', (e) => e.code))
      tell({ codes, check: (await Storage.check()).error.code })
      `,
    )
    expect(out).toEqual({ codes: Array.from({ length: 6 }, () => 'configuration'), check: 'configuration' })
  })

  it('lets what was said in the program win over what is found', async () => {
    const cwd = await project({
      'config/filesystems.json': JSON.stringify({
        default: 'a',
        disks: { a: { driver: 'memory' }, b: { driver: 'local', root: 'never' } },
      }),
    })
    const { out } = await run(
      cwd,
      `
      const b = Storage.configureDisk('b', { driver: 'memory' })
      const loading = Storage.put('x', 'y')
      await loading
      await b.put('x', 'y')
      const added = String(b)
      await Storage.close()
      const racing = new stowage.StorageManager()
      const load = racing.load()
      racing.configure({ disks: { own: { driver: 'memory' } } })
      await load
      const closing = new stowage.StorageManager()
      const pending = closing.load().catch(() => 0)
      await closing.close()
      await pending
      tell({ added, racing: racing.names, closed: closing.names })
      `,
    )
    expect(out).toEqual({ added: 'b: memory', racing: ['own'], closed: [] })
  })

  it('needs no configuration for what is faked', async () => {
    const cwd = await project({ 'config/filesystems.mjs': 'throw new Error("must not be read")' })
    const { out } = await run(
      cwd,
      `
      const fake = Storage.fake()
      const s3 = Storage.fake('s3')
      await Storage.put('a', 'x')
      await Storage.copy('a', 's3://b')
      fake.assertExists('a'); s3.assertExists('b', 'x')
      tell({ ok: true, unknown: await Storage.copy('a', 'other://b').catch((e) => e.code) })
      `,
    )
    expect(out).toEqual({ ok: true, unknown: 'configuration' })
  })
})
