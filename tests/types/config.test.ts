import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { buildPackage, TSC } from '../support/built-package.ts'

/** What users compile against is the built package, under its name: an augmentation reaches it only through `export *`. */
let project = ''

jest.setTimeout(60_000) // each case runs the compiler

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'stowage-types-'))
  await buildPackage(project)
  await mkdir(join(project, 'config'))
  await cp(join(import.meta.dirname, 'consumer'), join(project, 'src'), { recursive: true })
  await cp(resolve(import.meta.dirname, '../../config/filesystems.ts'), join(project, 'config/filesystems.ts'))
  await writeFile(join(project, 'package.json'), '{"type":"module"}')
}, 60_000)

afterAll(() => rm(project, { recursive: true, force: true }))

/** What the compiler says about files of the project, with libraries checked too. */
async function compile(...files: readonly string[]): Promise<string> {
  const strict = ['--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--skipLibCheck', 'false']
  const options = ['--ignoreConfig', '--noEmit', '--module', 'nodenext', '--target', 'es2023', '--types', 'node', ...strict]
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [TSC, ...options, ...files], { cwd: project })
    return stdout
  } catch (error) {
    return (error as { stdout: string }).stdout
  }
}

describe('the configuration, as TypeScript sees it', () => {
  it('takes what is right and refuses what is wrong', async () => {
    expect(await compile('src/config.ts')).toBe('')
  })

  it('learns disk names and drivers from the app', async () => {
    expect(await compile('src/names.ts')).toBe('')
  })

  it('is that of the default configuration', async () => {
    expect(await compile('config/filesystems.ts')).toBe('')
  })

  it.each([
    [`defineConfig({ disks: { a: { driver: 'locl', root: 'x' } } })`, `Did you mean '"local"'?`],
    [`defineConfig({ disks: { a: { driver: 's3', buket: 'x' } } })`, `Did you mean to write 'bucket'?`],
    [
      `defineConfig({ disks: { a: { driver: 'scoped', prefix: 'x', disk: { driver: 'local', rot: 'x' } } } })`,
      `Did you mean to write 'root'?`,
    ],
  ])('says what was meant: %s', async (code, hint) => {
    await writeFile(join(project, 'src/wrong.ts'), `import { defineConfig } from 'stowage'\n${code}\n`)
    expect(await compile('src/wrong.ts')).toContain(hint)
  })

  it('imports no types of optional packages', async () => {
    const declared = await readFile(join(project, 'node_modules/stowage/dist/config/disk-config.d.ts'), 'utf8')
    const imported = [...declared.matchAll(/from '([^']+)'/g)].map(([, from]) => from)
    expect(imported.filter((from) => !from?.startsWith('../'))).toEqual(['node:tls'])
  })
})
