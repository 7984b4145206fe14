/** Who may import whom. The table below is the one in src/README.md; type-only imports follow it too, but for optional packages. */
import { readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { type Import, parseSource, ROOT, type SourceFile, sourceFiles } from '../support/source-tree.ts'

const files = sourceFiles()
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Readonly<Record<string, Readonly<Record<string, string>>>>
const dependencies = Object.keys(manifest['dependencies'] ?? {})
const optionalPeers = Object.keys(manifest['peerDependencies'] ?? {})

/** What everything that talks to a store, or decorates what does, may build on. */
const SEAM = [
  'driver',
  'errors',
  'path',
  'content',
  'content-type',
  'content-disposition',
  'derive',
  'digest',
  'builtins',
  'minor-collections',
  'abortable',
  'lazy',
  'lazy-abilities',
]
/** The parts that `disk.ts` is made of. */
const DISK = [
  'check',
  'copy-between',
  'deadline',
  'disk',
  'disk-source',
  'file-content',
  'options',
  'presence',
  'rewrite',
  'signing',
  'stack',
  'whole-file',
]
const MANAGER = [...SEAM, ...DISK, 'slot', 'url-signature', 'peers', 'config/*', 'drivers/*', 'decorators/*']

/** The first row whose pattern fits a file says what it may import: files without `.ts`, folders as `folder/*`. */
const TABLE: readonly (readonly [files: string, mayImport: readonly string[]])[] = [
  ['errors', []],
  ['path', ['errors']],
  ['driver', ['errors']],
  ['stack', ['driver', 'errors']],
  ['content', ['driver', 'errors', 'path', 'digest']],
  ['content-type', ['path']],
  ['content-disposition', []],
  ['builtins', []],
  ['abortable', []],
  ['lazy', []],
  ['lazy-abilities', ['driver', 'lazy']],
  ['minor-collections', []],
  ['digest', ['driver', 'errors', 'builtins']],
  ['peers', ['errors']],
  ['url-signature', ['driver', 'errors', 'path', 'builtins']],
  ['derive', ['driver', 'errors', 'path', 'content']],
  ['drivers/*', [...SEAM, 'peers', 'drivers/(same folder)']],
  ['decorators/logged', ['driver', 'errors', 'decorators/log-line']],
  ['decorators/*', [...SEAM, 'peers', 'url-signature', 'decorators/(same folder)']],
  ['slot', [...SEAM, 'disk-source', 'stack', 'config/*']],
  ['config/registry', [...SEAM, 'config/*', 'drivers/*', 'decorators/*']],
  ['config/*', ['driver', 'errors', 'path', 'config/*']],
  ['storage-manager', [...MANAGER, 'testing/fake-disk']],
  ['facade', ['storage-manager', 'config/register']],
  ['index', [...MANAGER, 'storage-manager', 'facade']],
  ['http/*', [...MANAGER, 'storage-manager', 'facade', 'http/*']],
  ['testing/*', [...MANAGER, 'storage-manager', 'facade', 'testing/*']],
  ['uploads/*', [...MANAGER, 'storage-manager', 'facade', 'uploads/*']],
  ['images/*', [...MANAGER, 'storage-manager', 'facade', 'images/*']],
  ['transfer/*', [...MANAGER, 'storage-manager', 'facade', 'transfer/*']],
  ['cli/*', [...MANAGER, 'storage-manager', 'facade', 'cli/*', 'transfer/*', 'http/*', 'index']],
  ...DISK.map((name) => [name, [...SEAM, ...DISK, 'decorators/scoped', 'decorators/read-only']] as const),
]

/** The rules that a file breaks, as sentences. */
function broken(file: SourceFile): readonly string[] {
  return file.imports.flatMap((imported) => {
    const rule = imported.relative ? relativeRule(file, imported) : packageRule(file, imported)
    return rule === undefined ? [] : [`${file.path} imports ${imported.from}: ${rule}`]
  })
}

function relativeRule(file: SourceFile, { from }: Import): string | undefined {
  const row = TABLE.find(([pattern]) => fits(pattern, file.path))
  if (row === undefined) return 'no row of the table is for this file'
  const [, mayImport] = row
  const folder = file.path.split('/').slice(0, 2).join('/')
  const allowed = mayImport.some((pattern) =>
    pattern.endsWith('(same folder)') ? /^\w+\/[\w-]+\//.test(file.path) && from.startsWith(`${folder}/`) : fits(pattern, from),
  )
  return allowed ? undefined : `it may import only ${mayImport.join(', ') || 'nothing'}`
}

function packageRule(file: SourceFile, { from, typeOnly, dynamic, literal }: Import): string | undefined {
  if (!literal) return DOORS.includes(file.path) ? undefined : 'only peers.ts loads packages by name'
  if (from.startsWith('node:')) {
    const eager = !typeOnly && EAGER_FREE.test(file.path) && COSTLY.includes(from)
    return eager ? 'builtins.ts loads it when it is needed' : undefined
  }
  if (builtinModules.includes(from)) return 'modules of Node are imported as node:…'
  const name = from
    .split('/')
    .slice(0, from.startsWith('@') ? 2 : 1)
    .join('/')
  if (dependencies.includes(name))
    return typeOnly || dynamic || !EAGER_FREE.test(file.path) ? undefined : 'the core loads packages when it needs them'
  if (!optionalPeers.includes(name)) return 'it is no dependency'
  if (!typeOnly) return 'optional packages are loaded by importPeer()'
  return /^(drivers|decorators|images|uploads|cli)\//.test(file.path) ? undefined : 'the core knows no SDK'
}

/** `import(expression)`: optional packages, and the configuration file of the app. */
const DOORS = ['peers.ts', 'config/config-file.ts']
/** Modules of Node that cost milliseconds, which who uses only local disks should not pay. */
const COSTLY = ['node:crypto', 'node:http', 'node:https', 'node:net', 'node:tls', 'node:zlib', 'node:child_process', 'node:dns']
/** What `import 'stowage'` reaches. */
const EAGER_FREE = /^([\w-]+|config\/.*|drivers\/.*|decorators\/.*)(\.ts)?$/

function fits(pattern: string, path: string): boolean {
  return pattern.endsWith('/*') ? path.startsWith(pattern.slice(0, -1)) : path === `${pattern}.ts`
}

describe('the imports of the sources', () => {
  it.each(files.map((file) => [file.path, file] as const))('follow the layers: %s', (_path, file) => {
    expect(broken(file)).toEqual([])
  })

  it('name files that exist', () => {
    const paths = new Set(files.map(({ path }) => path))
    const missing = files.flatMap(({ path, imports }) =>
      imports.filter(({ relative, from }) => relative && !paths.has(from)).map(({ from }) => `${path} → ${from}`),
    )
    expect(missing).toEqual([])
  })

  it('load testing from nowhere but the storage manager', () => {
    const outside = files.filter(
      ({ path, imports }) => !path.startsWith('testing/') && imports.some(({ from }) => from.startsWith('testing/')),
    )
    expect(outside.map(({ path }) => path)).toEqual(['storage-manager.ts'])
  })

  it('make no circle when they run', () => {
    expect(circles(files)).toEqual([])
  })

  it.each([
    ['drivers/local/x.ts', `import '../memory-driver.ts'`],
    ['drivers/memory-driver.ts', `import './local/keys.ts'`],
    ['drivers/local/x.ts', `import type { Disk } from '../../disk.ts'`],
    ['drivers/s3/x.ts', `import { scoped } from '../../decorators/scoped.ts'`],
    ['drivers/s3/x.ts', `import { S3Client } from '@aws-sdk/client-s3'`],
    ['drivers/s3/x.ts', `const sdk = await import('@aws-sdk/client-s3')`],
    ['drivers/s3/x.ts', `const sdk = await import(name)`],
    ['drivers/s3/x.ts', `import { Agent } from 'node:https'`],
    ['decorators/scoped.ts', `import { MemoryDriver } from '../drivers/memory-driver.ts'`],
    ['decorators/scoped.ts', `export { Disk } from '../disk.ts'`],
    ['decorators/scoped.ts', `import { readOnly } from './read-only.ts'`],
    ['disk.ts', `import { served } from './decorators/served.ts'`],
    ['disk.ts', `import { lookup } from 'mime-types'`],
    ['disk.ts', `import './config/validate.ts'`],
    ['http/handler.ts', `import '../testing/fake-disk.ts'`],
    ['path.ts', `import fs from 'fs'`],
    ['elsewhere/new.ts', `import '../path.ts'`],
  ])('would be found out: %s with %s', (path, text) => {
    expect(broken(parseSource(path, text))).toHaveLength(1)
  })

  it('would be found out in a circle', () => {
    const a = parseSource('a.ts', `import './b.ts'`)
    const b = parseSource('b.ts', `export * from './a.ts'`)
    expect(circles([a, b])).toEqual(['a.ts → b.ts → a.ts'])
    expect(circles([a, parseSource('b.ts', `import type { A } from './a.ts'`)])).toEqual([])
  })
})

/** Circles of static imports that are not erased. */
function circles(sources: readonly SourceFile[]): readonly string[] {
  const targets = new Map(
    sources.map(({ path, imports }) => [
      path,
      imports.filter(({ relative, typeOnly, dynamic }) => relative && !typeOnly && !dynamic).map(({ from }) => from),
    ]),
  )
  const found: string[] = []
  const done = new Set<string>()
  const follow = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) found.push([...trail.slice(trail.indexOf(path)), path].join(' → '))
    else if (!done.has(path)) {
      for (const target of targets.get(path) ?? []) follow(target, [...trail, path])
      done.add(path)
    }
  }
  for (const path of targets.keys()) follow(path, [])
  return found
}
