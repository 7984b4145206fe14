/** The packed package in an empty project without any optional package: what users get is what is tested here. */
import { lstat, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { installPackage, packPackage, run, runNode } from '../support/packed-package.ts'
import { nodesOf, parseSource, ROOT } from '../support/source-tree.ts'

const ENTRIES = {
  stowage: ['Storage', 'StorageManager', 'Disk', 'defineConfig', 'env', 'configFromEnv', 'loadConfig', 'scoped', 'FileNotFoundError'],
  'stowage/drivers/gcs': ['GcsDriver'],
  'stowage/drivers/s3': ['S3Driver'],
  'stowage/drivers/azure': ['AzureDriver'],
  'stowage/drivers/ftp': ['FtpDriver'],
  'stowage/drivers/local': ['LocalDriver'],
  'stowage/drivers/memory': ['MemoryDriver'],
  'stowage/testing': ['FakeDisk', 'faulty', 'fakeFile', 'describeDriver', 'matchers'],
  'stowage/http': ['createHandler', 'toNodeHandler'],
}

let directory = ''
let project = ''
let packed: { readonly tarball: string; readonly source: string }

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stowage-package-'))
  project = join(directory, 'app')
  packed = await packPackage(directory)
  await installPackage(packed.tarball, project)
}, 180_000)

afterAll(() => rm(directory, { recursive: true, force: true }))

/** Runs a script of the project; what it prints is JSON. */
async function script(name: string, code: string, nodeOptions: readonly string[] = []): Promise<unknown> {
  await writeFile(join(project, name), code)
  return JSON.parse(await runNode([...nodeOptions, name], project))
}

describe('the packed package', () => {
  it('has an entry for each thing that it says it exports', async () => {
    const manifest = JSON.parse(await readFile(join(project, 'node_modules/stowage/package.json'), 'utf8')) as { exports: object }
    const named = Object.keys(manifest.exports).map((subpath) => subpath.replace(/^\./, 'stowage'))
    expect(named.filter((name) => !name.endsWith('.json'))).toEqual(Object.keys(ENTRIES))
  })

  it('holds what is compiled and what people read, and nothing else', async () => {
    const files = await readdir(join(project, 'node_modules/stowage'))
    expect(files.toSorted()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'package.json'])
    const compiled = await readdir(join(project, 'node_modules/stowage/dist'), { recursive: true, withFileTypes: true })
    expect(compiled.filter((entry) => entry.isFile() && !/\.(js|d\.ts)$/.test(entry.name))).toEqual([])
  })

  it('declares types that need no package but those of Node', async () => {
    const dist = join(project, 'node_modules/stowage/dist')
    const declared = (await readdir(dist, { recursive: true })).filter((name) => name.endsWith('.d.ts'))
    expect(declared.length).toBeGreaterThan(20)
    const files = await Promise.all(declared.map(async (name) => parseSource(name, await readFile(join(dist, name), 'utf8'))))
    const needed = files.flatMap((file) => [
      ...file.imports.filter(({ relative }) => !relative).map(({ from }) => from),
      ...nodesOf(file, 'TSImportType').map(({ node: { source } }) => String((source as { value?: unknown }).value)),
    ])
    expect(needed.filter((name) => !name.startsWith('node:') && !name.startsWith('.'))).toEqual([])
    expect(needed).toContain('node:stream')
  })

  it.each(Object.entries(ENTRIES))('imports and requires %s', async (name, exported) => {
    const imported = `import * as all from ${JSON.stringify(name)}\nconsole.log(JSON.stringify(Object.keys(all)))`
    expect(await script('import.mjs', imported)).toEqual(expect.arrayContaining(exported))
    const required = `console.log(JSON.stringify(Object.keys(require(${JSON.stringify(name)}))))`
    expect(await script('require.cjs', required)).toEqual(expect.arrayContaining(exported))
  })

  it('names the package that a cache in Redis needs', async () => {
    const code = `
      import { Storage } from 'stowage'
      Storage.configure({ disks: { fast: { driver: 'cached', disk: { driver: 'memory' }, store: { driver: 'redis' } } } })
      const codes = []
      for (const call of [() => Storage.get('a'), () => Storage.put('a', 'b')]) {
        codes.push(await call().then(() => 'done', ({ code, message }) => [code, message.includes('npm install ioredis')]))
      }
      console.log(JSON.stringify(codes))`
    const refused = ['configuration', true]
    expect(await script('redis.mjs', code)).toEqual([refused, refused])
  })

  it('is one module, imported or required', async () => {
    const code = `
      import { createRequire } from 'node:module'
      import { Storage, StorageError } from 'stowage'
      const required = createRequire(import.meta.url)('stowage')
      console.log(required.Storage === Storage && required.StorageError === StorageError)`
    expect(await script('one.mjs', code)).toBe(true)
  })

  it('reads, writes and lists on local and memory disks', async () => {
    const code = `
      import { Storage, defineConfig } from 'stowage'
      Storage.configure(defineConfig({ default: 'files', disks: { files: { driver: 'local', root: 'files' }, tmp: { driver: 'memory' } } }))
      const said = []
      for (const disk of [Storage, Storage.disk('tmp')]) {
        await disk.put('a/é 公司.txt', 'hello', { metadata: { by: 'me' } })
        await disk.copy('a/é 公司.txt', 'b.json')
        said.push([await disk.text('b.json'), await disk.allFiles(), (await disk.stat('a/é 公司.txt')).contentType])
        await disk.delete('b.json')
        said.push(await disk.get('b.json').catch(({ code, path }) => [code, path]))
      }
      console.log(JSON.stringify(said))`
    const once = [
      ['hello', ['a/é 公司.txt', 'b.json'], 'text/plain'],
      ['not_found', 'b.json'],
    ]
    expect(await script('disks.mjs', code)).toEqual([...once, ...once])
  })

  it('finds its configuration in a file of TypeScript', async () => {
    const code = `
      import { mkdirSync, writeFileSync } from 'node:fs'
      import { Storage } from 'stowage'
      mkdirSync('config', { recursive: true })
      const config = "import { defineConfig } from 'stowage'\\nexport default defineConfig({ disks: { kept: { driver: 'memory' as const } }, default: 'kept' })"
      writeFileSync('config/filesystems.ts', config)
      await Storage.put('a.txt', 'x')
      console.log(JSON.stringify([Storage.names, await Storage.files()]))`
    expect(await script('configured.mjs', code)).toEqual([['kept'], ['a.txt']])
  })
})

describe('what an import loads', () => {
  /** Writes down every module that Node resolves, however it is loaded, and prints it at the end. */
  const HOOKS = `
    import { registerHooks } from 'node:module'
    const seen = []
    registerHooks({ resolve(specifier, context, next) { seen.push(specifier); const found = next(specifier, context); seen.push(found.url); return found } })
    globalThis.seen = seen`

  /** What was asked for, and the addresses of what was loaded. */
  async function loadedBy(code: string): Promise<readonly string[]> {
    await writeFile(join(project, 'hooks.mjs'), HOOKS)
    return (await script('loads.mjs', `${code}\nconsole.log(JSON.stringify(seen))`, ['--import', './hooks.mjs'])) as readonly string[]
  }

  /** The files of the package. */
  async function filesLoadedBy(code: string): Promise<readonly string[]> {
    const files = (await loadedBy(code)).flatMap((name) => /^file:.*\/node_modules\/stowage\/dist\/(.*)$/.exec(name)?.[1] ?? [])
    return [...new Set(files)].toSorted()
  }

  /** The packages that were asked for or loaded. */
  async function packagesLoadedBy(code: string): Promise<readonly string[]> {
    const seen = await loadedBy(code)
    expect(seen.some((name) => name.endsWith('/stowage/dist/index.js'))).toBe(true)
    const names = seen.flatMap((name) => {
      if (name.startsWith('file:')) return /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(name)?.[1] ?? []
      return name.startsWith('.') || isBuiltin(name)
        ? []
        : name
            .split('/')
            .slice(0, name.startsWith('@') ? 2 : 1)
            .join('/')
    })
    return [...new Set(names)].toSorted()
  }

  it('is Stowage and nothing else: no SDK, no client, no dependency', async () => {
    expect(await packagesLoadedBy(`await import('stowage')`)).toEqual(['stowage'])
    expect(await packagesLoadedBy(`process.getBuiltinModule('module').createRequire(import.meta.url)('stowage')`)).toEqual(['stowage'])
  })

  it('is a dependency only once something needs it', async () => {
    const code = `
      const { Storage } = await import('stowage')
      Storage.configure({ default: 'tmp', disks: { tmp: { driver: 'memory' }, s3: { driver: 's3', bucket: 'b' } } })
      await Storage.put('a.txt', 'x')
      await Storage.mimeType('a.txt')`
    expect(await packagesLoadedBy(code)).toEqual(['stowage'])
    expect(await packagesLoadedBy(`${code}\nawait Storage.put('a.stl', 'x')`)).toEqual(['mime-db', 'mime-types', 'stowage'])
  })

  it('is one file of code: what drivers and wrappers do is loaded by their first operations', async () => {
    const disks = `{
      tmp: { driver: 'memory' },
      files: { driver: 'local', root: 'files' },
      s3: { driver: 's3', bucket: 'b' },
      gcs: { driver: 'gcs', bucket: 'b' },
      azure: { driver: 'azure', container: 'con', accountName: 'account' },
      ftp: { driver: 'ftp', host: 'localhost' },
      sealed: { driver: 'encrypted', disk: 'files', key: ${JSON.stringify(Buffer.alloc(32, 1).toString('base64'))} },
      fast: { driver: 'cached', disk: 'files' },
      copied: { driver: 'mirrored', disk: 'files', mirrors: ['tmp'] },
    }`
    const code = `
      const { Storage } = await import('stowage')
      Storage.configure({ default: 'tmp', disks: ${disks} })
      for (const name of Storage.names) Storage.disk(name).supports('multipart')`
    expect(await filesLoadedBy(`${code}\nawait Storage.close()`)).toEqual(['index.js', 'stowage.js'])
    expect(await filesLoadedBy(`${code}\nawait Storage.disk('files').exists('a')`)).toEqual([
      'drivers/local/operations.js',
      'index.js',
      'stowage.js',
    ])
  })

  it('is none of the modules of Node that take long', async () => {
    const code = `
      import 'node:fs/promises'
      const before = new Set(process.moduleLoadList)
      await import('stowage')
      const costly = ['crypto', 'http', 'https', 'net', 'tls', 'zlib', 'child_process', 'dns', 'module']
      const added = process.moduleLoadList.filter((name) => !before.has(name))
      process.stdout.write(JSON.stringify(costly.filter((name) => added.includes('NativeModule ' + name))))`
    expect(await script('builtins.mjs', code)).toEqual([])
  })
})

describe('an install', () => {
  it('is small: at most 25 packages and 12 MB', async () => {
    const modules = join(project, 'node_modules')
    const { packages } = JSON.parse(await readFile(join(modules, '.package-lock.json'), 'utf8')) as { packages: object }
    expect(Object.keys(packages).length).toBeGreaterThanOrEqual(1)
    expect(Object.keys(packages).length).toBeLessThanOrEqual(25)
    const entries = await readdir(modules, { recursive: true, withFileTypes: true })
    const sizes = await Promise.all(entries.map(async (entry) => (await lstat(join(entry.parentPath, entry.name))).blocks * 512))
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(12 * 1024 * 1024)
  })
})

describe('the linters of packages', () => {
  it('publint finds nothing', async () => {
    const { code, stdout } = await run(process.execPath, [join(ROOT, 'node_modules/publint/src/cli.js'), '--strict'], {
      cwd: packed.source,
    })
    expect(stdout).toContain('All good!')
    expect(code).toBe(0)
  })

  it('attw finds that types and code agree', async () => {
    const cli = join(ROOT, 'node_modules/@arethetypeswrong/cli/dist/index.js')
    const { code, stdout } = await run(process.execPath, [cli, packed.tarball, '--profile', 'esm-only', '--format', 'json'], {
      cwd: directory,
    })
    expect([code, stdout.slice(0, code === 0 ? 0 : 2_000)]).toEqual([0, ''])
    expect(JSON.parse(stdout)).toMatchObject({ analysis: { packageName: 'stowage' } })
  })
})
