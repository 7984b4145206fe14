import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { loadConfig } from '../../../src/config/load-config.ts'
import { buildPackage } from '../../support/built-package.ts'

/**
 * Each case is a project folder of its own and a process of its own, because what matters is how Node itself loads the file.
 * The package is the built one, so that it loads where Node strips no types, too.
 */
jest.setTimeout(60_000) // each case starts processes

const run = promisify(execFile)
let parent = ''
let project = ''

beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'stowage-load-'))
  await buildPackage(parent)
}, 60_000)

beforeEach(async () => {
  project = await mkdtemp(join(parent, 'project-'))
})

afterAll(() => rm(parent, { recursive: true, force: true }))

interface Outcome {
  readonly config?: unknown
  readonly error?: { readonly code: string; readonly message: string; readonly cause?: string }
  readonly stderr: string
}

/** Loads the configuration of a project made of these files. */
async function load(
  files: Readonly<Record<string, string>>,
  { env = {}, flags = [] }: { env?: Record<string, string>; flags?: readonly string[] } = {},
): Promise<Outcome> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(project, path)), { recursive: true })
    await writeFile(join(project, path), content)
  }
  const script = `
    import { loadConfig } from 'stowage'
    loadConfig().then(
      (config) => console.log(JSON.stringify({ config })),
      ({ code, message, cause }) => console.log(JSON.stringify({ error: { code, message, cause: cause?.message } })),
    )`
  const options = { cwd: project, env: { PATH: process.env['PATH'], ...env } }
  const { stdout, stderr } = await run(process.execPath, [...flags, '--input-type=module', '--eval', script], options)
  return { ...(JSON.parse(stdout) as object), stderr }
}

const MEMORY = `{ disks: { a: { driver: 'memory' } } }`
const LOADED = { disks: { a: { driver: 'memory' } } }
const MODULE = { 'package.json': '{"type":"module"}' }
const COMMONJS = { 'package.json': '{"type":"commonjs"}' }

describe('the configuration file', () => {
  it('is none when there is none', async () => {
    expect(await load({ 'config/other.ts': 'export default 1' })).toMatchObject({ stderr: '' })
    expect((await load({})).config).toBeUndefined()
  })

  it.each<[string, Record<string, string>]>([
    ['ts', { ...MODULE, 'config/filesystems.ts': `export default ${MEMORY}` }],
    ['ts with types', { ...MODULE, 'config/filesystems.ts': `const x: object = ${MEMORY}\nexport default x as { disks: object }` }],
    ['mts', { 'config/filesystems.mts': `export default ${MEMORY}` }],
    ['js', { ...MODULE, 'config/filesystems.js': `export default ${MEMORY}` }],
    ['js of CommonJS', { ...COMMONJS, 'config/filesystems.js': `module.exports = ${MEMORY}` }],
    ['js of compiled CommonJS', { ...COMMONJS, 'config/filesystems.js': `exports.__esModule = true; exports.default = ${MEMORY}` }],
    ['js of no type', { 'config/filesystems.js': `module.exports = ${MEMORY}` }],
    ['mjs', { 'config/filesystems.mjs': `export default ${MEMORY}` }],
    ['json', { 'config/filesystems.json': JSON.stringify(LOADED) }],
    [
      'a ts that imports another',
      { ...MODULE, 'config/filesystems.ts': `import a from '../a.ts'\nexport default a`, 'a.ts': `export default ${MEMORY}` },
    ],
    [
      'a default disk by name',
      { ...MODULE, 'config/filesystems.ts': `export default { disks: { a: { driver: 'memory' } }, default: undefined }` },
    ],
    ['ts with no package.json above it', { 'config/filesystems.ts': `const config: object = ${MEMORY}\nexport { config as default }` }],
    ['a top-level await', { ...MODULE, 'config/filesystems.ts': `export default await Promise.resolve(${MEMORY})` }],
  ])('is loaded by Node: %s', async (_, files) => {
    const { config, error, stderr } = await load(files)
    expect(error).toBeUndefined()
    expect(config).toEqual(LOADED)
    expect(stderr).toBe('')
  })

  it.each<[string, Record<string, string>]>([
    [
      'ESM syntax in a CommonJS project',
      { ...COMMONJS, 'config/filesystems.ts': `import a from '../a.ts'\nexport default a`, 'a.ts': `export default ${MEMORY}` },
    ],
    [
      'an enum',
      { ...MODULE, 'config/filesystems.ts': `enum D { Memory = 'memory' }\nexport default { disks: { a: { driver: D.Memory } } }` },
    ],
    [
      'an import without extension',
      { ...MODULE, 'config/filesystems.ts': `import a from '../a'\nexport default a`, 'a.ts': `export default ${MEMORY}` },
    ],
    [
      '.js that means .ts',
      { ...MODULE, 'config/filesystems.ts': `import a from '../a.js'\nexport default a`, 'a.ts': `export default ${MEMORY}` },
    ],
    [
      '.js that means .ts, in mts',
      { 'config/filesystems.mts': `import a from '../a.js'\nexport default a`, 'a.ts': `export default ${MEMORY}` },
    ],
    ['module.exports in ts', { ...COMMONJS, 'config/filesystems.ts': `module.exports = ${MEMORY}` }],
  ])('is loaded by jiti where Node cannot: %s', async (_, files) => {
    const { config, error, stderr } = await load(files)
    expect(error).toBeUndefined()
    expect(config).toEqual(LOADED)
    expect(stderr).toBe('')
  })

  it.each<[string, Record<string, string>]>([
    ['ts', { ...MODULE, 'config/filesystems.ts': `const x: object = ${MEMORY}\nexport default x` }],
    ['mts', { 'config/filesystems.mts': `const x: object = ${MEMORY}\nexport default x` }],
    ['ts of CommonJS', { ...COMMONJS, 'config/filesystems.ts': `const x: object = ${MEMORY}\nmodule.exports = x` }],
  ])('is loaded where Node strips no types: %s', async (_, files) => {
    const { config, error } = await load(files, { flags: ['--no-experimental-strip-types'] })
    expect(error).toBeUndefined()
    expect(config).toEqual(LOADED)
  })

  it('is the first of its candidates', async () => {
    const named = (name: string): string => `{ "disks": { "${name}": { "driver": "memory" } } }`
    const files = {
      ...MODULE,
      'config/filesystems.json': named('json'),
      'config/filesystems.mjs': `export default ${named('mjs')}`,
      'config/filesystems.js': `export default ${named('js')}`,
    }
    expect((await load(files)).config).toHaveProperty('disks.js')
    expect((await load({ 'config/filesystems.ts': `export default ${named('ts')}` })).config).toHaveProperty('disks.ts')
  })

  it('leaves jiti alone where Node can', async () => {
    const files = { ...MODULE, 'config/filesystems.ts': `export default ${MEMORY}` }
    const { config } = await load(files, { flags: ['--import', `data:text/javascript,${encodeURIComponent(NO_JITI)}`] })
    expect(config).toEqual(LOADED)
    const other = { 'config/filesystems.ts': `enum D { a }\nexport default ${MEMORY}` }
    const { error } = await load(other, { flags: ['--import', `data:text/javascript,${encodeURIComponent(NO_JITI)}`] })
    expect(error?.message).toContain('jiti is not wanted')
  })
})

const NO_JITI = `
  import { registerHooks } from 'node:module'
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier === 'jiti') throw Object.assign(new Error('jiti is not wanted'), { code: 'ERR_NOT_WANTED' })
      return next(specifier, context)
    },
  })`

describe('the configuration file that imports stowage', () => {
  const config = `import { defineConfig, env } from 'stowage'
    export default defineConfig({ disks: { s3: { driver: 's3', region: env('NO_REGION'), bucket: env('NO_BUCKET') } } })`
  const script = `import('stowage').then(({ Storage }) => Storage.disk('s3').get('a.txt')).catch((error) => console.log(error.message))`

  it.each([
    ['Node', MODULE],
    ['jiti', COMMONJS],
  ])('has the same stowage as the app, loaded by %s: unset variables are told', async (_, files) => {
    await load({ ...files, 'config/filesystems.ts': config })
    const { stdout } = await run(process.execPath, ['--eval', script], { cwd: project, env: { PATH: process.env['PATH'] } })
    expect(stdout).toContain('disk "s3" needs "bucket" (unset: NO_BUCKET)')
  })
})

describe('in a test runner that loads modules itself', () => {
  it.each<[string, string]>([
    ['types', `const x: object = ${MEMORY}\nexport default x`],
    ['an enum', `enum D { Memory = 'memory' }\nexport default { disks: { a: { driver: D.Memory } } }`],
  ])('the file is found and loaded: %s', async (_, content) => {
    await mkdir(join(project, 'config'))
    await writeFile(join(project, 'package.json'), MODULE['package.json'])
    await writeFile(join(project, 'config/filesystems.ts'), content)
    expect(await loadConfig(project)).toEqual(LOADED)
  })
})

describe('STOWAGE_CONFIG', () => {
  const files = { 'config/filesystems.json': '{"disks":{"other":{"driver":"memory"}}}', 'my/disks.mjs': `export default ${MEMORY}` }

  it('names another file, relative to the working directory', async () => {
    expect((await load(files, { env: { STOWAGE_CONFIG: 'my/disks.mjs' } })).config).toEqual(LOADED)
    expect((await load(files, { env: { STOWAGE_CONFIG: join(project, 'my/disks.mjs') } })).config).toEqual(LOADED)
  })

  it('counts as unset when it is empty', async () => {
    expect((await load(files, { env: { STOWAGE_CONFIG: '' } })).config).toHaveProperty('disks.other')
  })

  it.each(['nope.ts', 'my', 'my/disks.mjs/x.ts'])('must name a file: %s', async (name) => {
    const { error } = await load(files, { env: { STOWAGE_CONFIG: name } })
    expect(error).toMatchObject({ code: 'configuration', message: expect.stringContaining(`STOWAGE_CONFIG names "${name}"`) })
  })
})

describe('a file that fails is an error with its name and the cause', () => {
  it.each<[string, Record<string, string>, string, string | undefined]>([
    [
      'throws',
      { ...MODULE, 'config/filesystems.ts': `throw new Error('boom')` },
      '"config/filesystems.ts" could not be loaded: Error',
      'boom',
    ],
    [
      'throws, through jiti',
      { ...COMMONJS, 'config/filesystems.ts': `throw new RangeError('boom'); export {}` },
      '"config/filesystems.ts" could not be loaded: RangeError',
      'boom',
    ],
    [
      'lacks a package',
      { ...MODULE, 'config/filesystems.ts': `import 'nope-package'\nexport default {}` },
      "Cannot find module 'nope-package'",
      "Cannot find module 'nope-package'",
    ],
    ['is no JavaScript', { 'config/filesystems.mjs': 'export default {' }, '"config/filesystems.mjs" could not be loaded', ''],
    [
      'is no JSON',
      { 'config/filesystems.json': '{ "secret": hunter2 }' },
      '"config/filesystems.json" could not be loaded: SyntaxError, see the cause',
      'JSON',
    ],
    [
      'reads a secret that is no JSON',
      { ...MODULE, 'config/filesystems.ts': `export default JSON.parse('hunter2')` },
      'could not be loaded: SyntaxError, see the cause',
      'hunter2',
    ],
    [
      'exports nothing',
      { ...MODULE, 'config/filesystems.ts': 'export const disks = 1' },
      'the default export of "config/filesystems.ts" must have an object of disks by name in "disks"',
      undefined,
    ],
    [
      'exports another thing',
      { ...MODULE, 'config/filesystems.ts': 'export default 1' },
      'the default export of "config/filesystems.ts" must be an object with "disks"',
      undefined,
    ],
    [
      'exports no disks',
      { 'config/filesystems.json': '{"disk":{}}' },
      'the default export of "config/filesystems.json" has no "disks", is "disk" misspelt?',
      undefined,
    ],
  ])('when it %s', async (_, files, message, cause) => {
    const { error, config } = await load(files)
    expect(config).toBeUndefined()
    expect(error?.code).toBe('configuration')
    expect(error?.message).toContain(message)
    expect(error?.message).not.toContain('hunter2')
    if (cause === undefined) expect(error?.cause).toBeUndefined()
    else expect(error?.cause).toContain(cause)
  })

  it('and does not run twice when it throws', async () => {
    const counting = `import { appendFileSync } from 'node:fs'; appendFileSync('runs', 'x'); console.error('ran'); throw new Error('boom')`
    const { stderr } = await load({ ...MODULE, 'config/filesystems.ts': counting })
    expect(stderr).toBe('ran\n')
  })
})
