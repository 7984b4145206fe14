/** What users compile against the built package, by the compiler of this repository and by an older one; libraries are checked, too. */
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { buildPackage, TSC } from '../support/built-package.ts'
import { run } from '../support/packed-package.ts'
import { ROOT } from '../support/source-tree.ts'

const CONSUMER = join(import.meta.dirname, 'consumer')
/** TypeScript 5, which the types have to be readable for: the one that a linter of packages brings along. */
const OLD_TSC = join(dirname(createRequire(join(ROOT, 'node_modules/@arethetypeswrong/core/package.json')).resolve('typescript')), 'tsc.js')

jest.setTimeout(120_000)

let directory = ''
let built = ''

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stowage-types-'))
  built = await buildPackage(join(directory, 'built'))
})

afterAll(() => rm(directory, { recursive: true, force: true }))

interface Project {
  /** Packages of this repository that are installed in it. */
  readonly packages?: readonly string[]
  readonly types?: readonly string[]
  readonly tsc?: string
  readonly code: string
}

/** What the compiler says about a project of one file with these packages, and with Stowage. */
async function compile(name: string, { packages = [], types = ['node'], tsc = TSC, code }: Project): Promise<string> {
  const project = join(directory, name)
  const modules = join(project, 'node_modules')
  await mkdir(join(modules, '@types'), { recursive: true })
  await cp(join(built, 'stowage'), join(modules, 'stowage'), { recursive: true })
  for (const installed of ['@types/node', ...packages]) {
    await mkdir(dirname(join(modules, installed)), { recursive: true })
    await symlink(join(ROOT, 'node_modules', installed), join(modules, installed))
  }
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2023',
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    noEmit: true,
    types,
  }
  await writeFile(join(project, 'package.json'), '{ "type": "module" }')
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['app.ts'] }))
  await writeFile(join(project, 'app.ts'), code)
  const { code: status, stdout, stderr } = await run(process.execPath, [tsc, '-p', project, '--pretty', 'false'], { cwd: project })
  return status === 0 ? '' : `${stdout}${stderr}`
}

describe('the types of the package', () => {
  const usage = readFile(join(CONSUMER, 'usage.ts'), 'utf8')

  it('fit what people write, refuse what is wrong, and bring those of Node along', async () => {
    expect(await compile('usage', { types: [], code: await usage })).toBe('')
  })

  it('can be read by TypeScript 5', async () => {
    expect((await run(process.execPath, [OLD_TSC, '--version'], { cwd: directory })).stdout).toMatch(/^Version 5\./)
    expect(await compile('typescript-5', { tsc: OLD_TSC, code: await usage })).toBe('')
  })
})

describe('the matchers, as TypeScript sees them', () => {
  const matchers = readFile(join(CONSUMER, 'matchers.ts'), 'utf8')

  it.each([
    ['Jest', { packages: ['@jest', 'expect', 'jest-snapshot'], types: ['node'] }, `import { expect } from '@jest/globals'`],
    ['the types of global Jest', { packages: ['@types/jest', 'expect'], types: ['node', 'jest'] }, ''],
    ['Vitest', { packages: ['vitest'], types: ['node'] }, `import { expect } from 'vitest'`],
    ['global Vitest', { packages: ['vitest'], types: ['node', 'vitest/globals'] }, ''],
  ])('are on the expect of %s', async (name, project, importing) => {
    expect(await compile(name.replaceAll(' ', '-'), { ...project, code: `${importing}\n${await matchers}` })).toBe('')
  })

  it('need neither Jest nor Vitest', async () => {
    const code = `import { matchers } from 'stowage/testing'\nexport const names: string[] = Object.keys(matchers)\n`
    expect(await compile('neither', { code })).toBe('')
  })

  it('are refused where nobody extended them', async () => {
    const code = `import { expect } from '@jest/globals'\nexpect(1).toHaveFile('a')\n`
    expect(await compile('not-imported', { packages: ['@jest', 'expect', 'jest-snapshot'], code })).toMatch(/toHaveFile/)
  })
})
