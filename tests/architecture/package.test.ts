/** `package.json` tells the truth about the sources: what is exported, what is needed, and nothing about the machine it was made on. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { ROOT, sourceFiles } from '../support/source-tree.ts'

const NOT_OURS = ['.git', 'node_modules', 'build', 'dist', 'coverage', 'storage', 'tmp']

interface Manifest {
  readonly engines: { readonly node: string }
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly scripts?: Readonly<Record<string, string>>
}

interface LockedPackage {
  readonly resolved?: string
  readonly hasInstallScript?: boolean
  readonly dev?: boolean
  readonly optional?: boolean
  readonly peer?: boolean
}

function readJson(...path: readonly string[]): unknown {
  return JSON.parse(readFileSync(join(ROOT, ...path), 'utf8'))
}

const manifest = readJson('package.json') as Manifest
const lock = readJson('package-lock.json') as { readonly packages: Readonly<Record<string, LockedPackage>> }
const imported = new Map<string, string>()
for (const { path, imports } of sourceFiles()) {
  for (const { from, relative, literal } of imports) {
    if (relative || !literal || from.startsWith('node:')) continue
    imported.set(
      from
        .split('/')
        .slice(0, from.startsWith('@') ? 2 : 1)
        .join('/'),
      path,
    )
  }
}

describe('the exports', () => {
  const subpaths = Object.entries(manifest.exports).flatMap(([subpath, target]) =>
    typeof target === 'string' ? [] : Object.entries(target).map(([condition, file]) => [subpath, condition, file] as const),
  )

  it.each(subpaths)('%s (%s) is compiled from a source: %s', (_subpath, _condition, file) => {
    const source = file.replace(/^\.\/dist\//, 'src/').replace(/(\.d\.ts|\.js)$/, '.ts')
    expect(source).toMatch(/^src\/.*[^/]\.ts$/)
    expect(existsSync(join(ROOT, source))).toBe(true)
  })

  it('name the types first, where compilers look first', () => {
    const conditions = Object.values(manifest.exports)
      .filter((target) => typeof target !== 'string')
      .map((target) => Object.keys(target))
    for (const names of conditions) expect(names).toEqual(['types', 'default'])
  })

  it('have an entry for every driver and every part that is there', () => {
    const drivers = readdirSync(join(ROOT, 'src/drivers'), { withFileTypes: true })
      .flatMap((entry) => (entry.isDirectory() ? [entry.name] : (/^(\w+)-driver\.ts$/.exec(entry.name)?.[1] ?? [])))
      .map((name) => `./drivers/${name}`)
    const parts = readdirSync(join(ROOT, 'src')).filter((name) => existsSync(join(ROOT, 'src', name, 'index.ts')))
    const expected = ['.', './package.json', ...drivers, ...parts.map((name) => `./${name}`)]
    expect(Object.keys(manifest.exports).toSorted()).toEqual(expected.toSorted())
  })
})

describe('the dependencies', () => {
  it('are what the sources import', () => {
    const declared = [...Object.keys(manifest.dependencies ?? {}), ...Object.keys(manifest.peerDependencies ?? {})]
    expect([...imported].filter(([name]) => !declared.includes(name))).toEqual([])
    expect(Object.keys(manifest.dependencies ?? {}).filter((name) => !imported.has(name))).toEqual([])
  })

  it('are optional where they are peers, and there for the tests', () => {
    const peers = Object.keys(manifest.peerDependencies ?? {}).toSorted()
    expect(Object.keys(manifest.peerDependenciesMeta ?? {}).toSorted()).toEqual(peers)
    for (const name of peers) {
      expect([name, manifest.peerDependenciesMeta?.[name]?.optional]).toEqual([name, true])
      expect(manifest.devDependencies).toHaveProperty([name])
      expect(manifest.dependencies ?? {}).not.toHaveProperty([name])
    }
  })

  it('are written as one version each, so that everybody tests the same', () => {
    const loose = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }).filter(
      ([, range]) => !/^\d+\.\d+\.\d+$/.test(range),
    )
    expect(loose.map(([name]) => name)).toEqual(['node'])
  })

  it('need no install script, which package managers do not run any more', () => {
    const scripted = Object.entries(lock.packages).filter(
      ([path, { dev, hasInstallScript }]) => path !== '' && dev !== true && hasInstallScript === true,
    )
    expect(scripted.map(([path]) => path)).toEqual([])
    for (const name of ['preinstall', 'install', 'postinstall']) expect(manifest.scripts).not.toHaveProperty([name])
  })
})

describe('the repository', () => {
  const texts = readdirSync(ROOT, { withFileTypes: true })
    .filter(({ name }) => !NOT_OURS.includes(name))
    .flatMap((entry) => (entry.isDirectory() ? filesBelow(entry.name) : [entry.name]))
    .map((name) => [name, readFileSync(join(ROOT, name), 'utf8')] as const)

  it('says in the lock file what packages are, not where they came from', () => {
    const resolved = Object.entries(lock.packages).filter(([, entry]) => entry.resolved !== undefined)
    expect(resolved.map(([path]) => path)).toEqual([])
  })

  it('names no registry', () => {
    const hosts = new RegExp(
      [
        ['registry', 'npmjs'],
        ['registry', 'yarnpkg'],
        ['npm', 'pkg', 'github'],
      ]
        .map((parts) => parts.join('\\.'))
        .join('|'),
    )
    expect(texts.filter(([, text]) => hosts.test(text)).map(([name]) => name)).toEqual([])
  })

  it('knows nothing of the machine it was written on', () => {
    const places = new RegExp(String.raw`(^|[\s'"\`(=:])/(${['work', 'root', 'Users'].join('|')})/\w`, 'm')
    expect(texts.filter(([, text]) => places.test(text)).map(([name]) => name)).toEqual([])
    expect(['', 'work', 'main'].join('/')).toMatch(places)
    expect(['docs', 'work', 'main'].join('/')).not.toMatch(places)
  })
})

function filesBelow(folder: string): readonly string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/[\\/]node_modules([\\/]|$)/.test(entry.parentPath))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
}
