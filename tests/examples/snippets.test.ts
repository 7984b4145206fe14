import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { buildPackage, TSC } from '../support/built-package.ts'
import { moduleOf, readPage, readPages, ROOT, type Snippet, snippetsOf } from './markdown.ts'

/** A user's project, with the built package installed. */
let project = ''

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'stowage-snippets-'))
  const packages = await buildPackage(project)
  for (const name of ['@jest', '@aws-sdk', 'expect']) await symlink(join(ROOT, 'node_modules', name), join(packages, name))
  await writeFile(join(project, 'package.json'), '{"type":"module"}')
  await cp(join(ROOT, 'config'), join(project, 'config'), { recursive: true })
  await cp(join(ROOT, 'examples'), join(project, 'examples'), { recursive: true })
}, 60_000)

afterAll(() => rm(project, { recursive: true, force: true }))

const STRICT = ['--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--noImplicitOverride', '--skipLibCheck']
const MODULES = ['--module', 'nodenext', '--target', 'es2023', '--lib', 'es2024,esnext.disposable', '--types', 'node']

/** What the compiler says about these files of the project. */
async function compile(files: readonly string[]): Promise<string> {
  const options = ['--ignoreConfig', '--noEmit', '--allowImportingTsExtensions', '--verbatimModuleSyntax', ...MODULES, ...STRICT]
  try {
    return (await promisify(execFile)(process.execPath, [TSC, ...options, ...files], { cwd: project })).stdout
  } catch (error) {
    return (error as { stdout: string }).stdout
  }
}

/** Writes the module of a snippet. @returns its name in the project */
async function place(snippet: Snippet, folder: string): Promise<string> {
  const file = join(folder, snippet.file ?? `line-${snippet.line}.ts`)
  await mkdir(join(project, dirname(file)), { recursive: true })
  await writeFile(join(project, file), moduleOf(snippet))
  return file
}

interface Run {
  readonly stdout: string
  readonly stderr: string
}

/** Runs Node in the project, or in a folder of it. */
function run(args: readonly string[], env: Readonly<Record<string, string>> = {}, folder = ''): Promise<Run> {
  return promisify(execFile)(process.execPath, args, { cwd: join(project, folder), env: { PATH: process.env['PATH'], ...env } })
}

describe('the code in the documentation', () => {
  it('is there', async () => {
    const pages = await readPages()
    expect(pages.map(({ name }) => name)).toEqual(expect.arrayContaining(['README.md', 'docs/configuration.md', 'docs/testing.md']))
    const typescript = pages.flatMap(snippetsOf).filter(({ language }) => language === 'ts')
    expect(typescript.length).toBeGreaterThan(30)
  })

  it('compiles as strict TypeScript against the built package', async () => {
    const snippets = (await readPages()).flatMap(snippetsOf).filter(({ language }) => language === 'ts')
    // What is registered is seen by the whole program.
    const alone = snippets.filter(({ code }) => code.includes('interface Register'))
    const together = snippets.filter((snippet) => !alone.includes(snippet))
    expect(await compile(await Promise.all(together.map((snippet) => place(snippet, join('pages', snippet.page)))))).toBe('')
    expect(alone.length).toBeGreaterThan(0)
    for (const snippet of alone) expect(await compile([await place(snippet, join('alone', snippet.page))])).toBe('')
  }, 60_000)

  it('finds an error, and says on which line of the page it is', async () => {
    const wrong = {
      ...(await sixLines()),
      page: 'wrong.md',
      line: 7,
      file: undefined,
      code: 'Storage.disk(1)\n',
      prelude: "import { Storage } from 'stowage'",
    }
    expect(await compile([await place(wrong, 'pages/wrong.md')])).toMatch(/line-7\.ts\(7,14\): error TS2345/)
  })
})

/** What a page's code has around it when it is run: no network, a file to read, and an end, whatever it listens on. */
const STAGE = `
import { writeFileSync } from 'node:fs'
globalThis.fetch = async () => new Response('a,b')
writeFileSync('upload.mp4', 'video')
process.env.STORAGE_URL_SECRET = 'a secret for this test'
await import('./' + process.argv[2])
process.exit(0)
`

/** What a line of code says that it prints; nothing where it says so with an ellipsis or in braces. */
const PRINTED = /^.*console\.log\(.*\) \/\/ ([^…{\n]+)$/gm

describe('the examples', () => {
  it.each(['README.md', 'docs/testing.md'])('%s: all its code runs, and prints what it says', runPage, 60_000)

  it('README: the six lines run and print what they say', async () => {
    const { code } = await sixLines()
    expect(code.trim().split('\n')).toHaveLength(6)
    await mkdir(join(project, 'hello'))
    await writeFile(join(project, 'hello/hello.mts'), code)
    const { stdout, stderr } = await run(['hello.mts'], {}, 'hello')
    const said = [...code.matchAll(/\/\/ (.+)$/gm)].map(([, comment]) => comment)
    expect(said).toHaveLength(2)
    expect(stdout.trim().split('\n')).toEqual(said)
    expect(stderr).toBe('')
  })

  it('quickstart.ts compiles', async () => {
    expect(await compile(['examples/quickstart.ts'])).toBe('')
  })

  it('quickstart.ts does what it says, and ends', async () => {
    const { stdout, stderr } = await run(['examples/quickstart.ts'])
    expect(stderr).toBe('')
    const expected = [
      'put quickstart/reports/2026.csv: 25 bytes',
      '100 %, 200 MB',
      'read it back: SHA-256',
      'quickstart/large.bin  200000000 bytes',
      'GET → 200, 25 bytes, attachment; filename="report.csv"',
      'the same signature on another path → 403',
      'GET with Range → 206, bytes 1000000-1000099/200000000, 100 bytes',
      'failNext made a put fail: write "avatars/bob.png" on disk "local"',
      'deleted quickstart/large.bin',
      'Done',
    ]
    let at = 0
    for (const line of expected) {
      expect(stdout.slice(at)).toContain(line)
      at = stdout.indexOf(line, at)
    }
    const kept = join(project, 'storage/app/private/quickstart')
    expect(await readFile(join(kept, 'reports/2026.csv'), 'utf8')).toContain('January,42')
    await expect(readFile(join(kept, 'large.bin'))).rejects.toMatchObject({ code: 'ENOENT' })
  }, 60_000)

  it('quickstart.ts is not led astray by the environment', async () => {
    const { stdout } = await run(['examples/quickstart.ts'], {
      FILESYSTEM_DISK: 's3',
      STORAGE_BASE_URL: 'https://files.invalid',
      STORAGE_URL_SECRET: 'short',
    })
    expect(stdout.trimEnd().endsWith('Done')).toBe(true)
  }, 60_000)
})

/** The first code of the README. */
async function sixLines(): Promise<Snippet> {
  const [first] = snippetsOf(await readPage('README.md')).filter(({ language }) => language === 'ts')
  if (first === undefined) throw new Error('the README has no code')
  return first
}

/** Runs the code of a page in order, but for tests, which have no runner here. */
async function runPage(name: string): Promise<void> {
  const snippets = snippetsOf(await readPage(name)).filter(({ language, code }) => language === 'ts' && !code.includes('@jest/globals'))
  expect(snippets.length).toBeGreaterThan(5)
  await writeFile(join(project, 'stage.mts'), STAGE)
  const config = snippets.find(({ file }) => file === 'config/filesystems.ts')
  if (config !== undefined) await place(config, '')
  for (const snippet of snippets) {
    const code = snippet.code.replace('listen(3000)', 'listen(0)')
    const { stdout } = await run(['stage.mts', await place({ ...snippet, code, file: undefined }, join('run', name))])
    for (const [, said] of code.matchAll(PRINTED)) expect(stdout).toContain(said)
  }
}
