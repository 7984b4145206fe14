/** What `stowage/testing` gives to tests works in Jest and in Vitest: the packed package, in a project of each, without any option. */
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { buildPackage } from '../support/built-package.ts'
import { run } from '../support/packed-package.ts'
import { ROOT } from '../support/source-tree.ts'

jest.setTimeout(120_000)

let directory = ''
let built = ''

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stowage-runners-'))
  built = await buildPackage(join(directory, 'built'))
})

afterAll(() => rm(directory, { recursive: true, force: true }))

/** One test that passes, one that fails, and the tests of a driver. */
const TESTS = `
  import { Storage } from 'stowage'
  import { MemoryDriver } from 'stowage/drivers/memory'
  import { describeDriver, matchers } from 'stowage/testing'

  expect.extend(matchers)
  afterEach(() => Storage.restore())

  it('passes', async () => {
    const fake = Storage.fake('s3')
    await Storage.disk('s3').put('a/b.txt', 'content')
    fake.assertExists('a/b.txt', 'content')
    await expect(fake).toHaveFile('a/b.txt', 'content')
    await expect(Storage.disk('s3')).toHaveDirectory('a')
    await expect(fake).not.toHaveFile('b.txt')
    await expect(fake).toHaveContentType('a/b.txt', 'text/plain')
    await expect(fake).toHaveVisibility('a/b.txt', 'private')
  })

  it('fails', async () => {
    const fake = Storage.fake('s3')
    await fake.put('a.txt', 'one')
    await expect(fake).toHaveFile('a.txt', 'two')
  })

  describeDriver('memory', () => new MemoryDriver())
`

/** A project with Stowage and some packages of this repository, and one test file. */
async function project(name: string, packages: readonly string[], test: string): Promise<string> {
  const folder = join(directory, name)
  await mkdir(join(folder, 'node_modules'), { recursive: true })
  for (const own of ['stowage', 'mime-types', 'mime-db', 'jiti']) {
    await cp(join(built, own), join(folder, 'node_modules', own), { recursive: true, dereference: true })
  }
  for (const installed of packages) {
    await mkdir(dirname(join(folder, 'node_modules', installed)), { recursive: true })
    await symlink(join(ROOT, 'node_modules', installed), join(folder, 'node_modules', installed))
  }
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  await writeFile(join(folder, 'storage.test.js'), test)
  return folder
}

interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly title: string; readonly status: string; readonly failureMessages: readonly string[] }[]
  }[]
}

function judge({ numPassedTests, numFailedTests, testResults }: Report): void {
  const results = testResults.flatMap(({ assertionResults }) => assertionResults)
  expect(results.filter(({ status }) => status === 'failed').map(({ title }) => title)).toEqual(['fails'])
  expect(results.find(({ title }) => title === 'fails')?.failureMessages.join('\n')).toMatch(/a\.txt.*two/s)
  expect(results.find(({ title }) => title === 'passes')?.status).toBe('passed')
  expect(numFailedTests).toBe(1)
  expect(numPassedTests).toBeGreaterThan(20)
}

describe('the testing tools', () => {
  it('work in Vitest', async () => {
    const cwd = await project('vitest', ['vitest'], `import { afterEach, expect, it } from 'vitest'\n${TESTS}`)
    const args = [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', '--globals', '--reporter=json', '--outputFile=report.json']
    const { stderr } = await run(process.execPath, args, { cwd, env: { NODE_OPTIONS: '', VITEST: '' } })
    judge(await report(cwd, stderr))
  })

  it('work in Jest', async () => {
    const cwd = await project('jest', ['@jest'], `import { afterEach, expect, it } from '@jest/globals'\n${TESTS}`)
    await writeFile(join(cwd, 'jest.config.json'), '{ "transform": {}, "testEnvironment": "node" }')
    const args = ['--experimental-vm-modules', join(ROOT, 'node_modules/jest/bin/jest.js'), '--json', '--outputFile=report.json']
    const { stderr } = await run(process.execPath, args, { cwd })
    judge(await report(cwd, stderr))
  })
})

async function report(cwd: string, stderr: string): Promise<Report> {
  try {
    return JSON.parse(await readFile(join(cwd, 'report.json'), 'utf8')) as Report
  } catch {
    throw new Error(stderr)
  }
}
